// Only the version counts: `scripts/setup` builds the program from its own module, with the versions that it was
// released with.
module openmcp-dns.test/external-dns

go 1.26.0

require sigs.k8s.io/external-dns v0.21.0
