module openmcp-dns.test/webhook

go 1.24
