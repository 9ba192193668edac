// A validating webhook that denies everything, for scripts/test-clusters where agnhost is not at hand. It takes the flags of
// agnhost's webhook and says what that says.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"os"
)

type review struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Request    map[string]any `json:"request,omitempty"`
	Response   map[string]any `json:"response,omitempty"`
}

func deny(writer http.ResponseWriter, request *http.Request) {
	var asked review
	if err := json.NewDecoder(http.MaxBytesReader(writer, request.Body, 4<<20)).Decode(&asked); err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	answer := review{APIVersion: asked.APIVersion, Kind: asked.Kind, Response: map[string]any{
		"uid":     asked.Request["uid"],
		"allowed": false,
		"status":  map[string]any{"message": "this webhook denies all requests"},
	}}
	writer.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(writer).Encode(answer); err != nil {
		log.Print(err)
	}
}

func main() {
	flags := flag.NewFlagSet("webhook", flag.ExitOnError)
	certificate := flags.String("tls-cert-file", "", "certificate")
	key := flags.String("tls-private-key-file", "", "its key")
	port := flags.String("port", "443", "where to listen")
	if len(os.Args) < 2 || os.Args[1] != "webhook" {
		log.Fatal("usage: webhook --tls-cert-file=FILE --tls-private-key-file=FILE [--port=PORT]")
	}
	// ExitOnError: it does not come back with one.
	_ = flags.Parse(os.Args[2:])
	http.HandleFunc("/always-deny", deny)
	log.Fatal(http.ListenAndServeTLS(":"+*port, *certificate, *key, nil))
}
