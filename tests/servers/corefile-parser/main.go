// Reads Corefiles with CoreDNS's own parser, for a test that compares ours with it: each line of stdin is a text as a JSON
// string, and each line of stdout says its server blocks, or why there are none.
package main

import (
	"bufio"
	"encoding/json"
	"io"
	"log"
	"os"
	"strings"

	"github.com/coredns/caddy/caddyfile"
)

type answer struct {
	Error  string  `json:"error,omitempty"`
	Blocks []block `json:"blocks"`
}

type block struct {
	Keys []string `json:"keys"`
	// The words of each plugin, those of several of one name one after the other.
	Plugins map[string][]string `json:"plugins"`
}

func read(text string) answer {
	servers, err := caddyfile.Parse("Corefile", strings.NewReader(text), nil)
	if err != nil {
		return answer{Error: err.Error(), Blocks: []block{}}
	}
	blocks := make([]block, 0, len(servers))
	for _, server := range servers {
		plugins := map[string][]string{}
		for name, tokens := range server.Tokens {
			for _, token := range tokens {
				plugins[name] = append(plugins[name], token.Text)
			}
		}
		blocks = append(blocks, block{Keys: server.Keys, Plugins: plugins})
	}
	return answer{Blocks: blocks}
}

func main() {
	// It says of each import without a file that there is none.
	log.SetOutput(io.Discard)
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var text string
		if err := json.Unmarshal(line, &text); err != nil {
			panic(err)
		}
		if err := out.Encode(read(text)); err != nil {
			panic(err)
		}
	}
}
