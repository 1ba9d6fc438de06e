// A tiny game server: enough to show hooks, indexes and updates in place.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Set by the build.
var version = "dev"

// What /hook answers: 1 means "go ahead", 0 means "players are inside".
var hookResult atomic.Int64

var players atomic.Int64

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Printf("reply: %v", err)
	}
}

func setHook(w http.ResponseWriter, r *http.Request) {
	value, err := strconv.ParseInt(r.URL.Query().Get("result"), 10, 64)
	if err != nil {
		http.Error(w, "result must be a whole number, as in /hook/set?result=0", http.StatusBadRequest)
		return
	}
	hookResult.Store(value)
	reply(w, map[string]int64{"result": value})
}

func leave(w http.ResponseWriter, _ *http.Request) {
	for {
		now := players.Load()
		if now == 0 || players.CompareAndSwap(now, now-1) {
			break
		}
	}
	reply(w, map[string]int64{"players": players.Load()})
}

// What the cluster's DNS says of a name, such as that of another server behind a headless Service.
func lookup(w http.ResponseWriter, r *http.Request) {
	addresses, err := net.DefaultResolver.LookupHost(r.Context(), r.URL.Query().Get("name"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	reply(w, map[string]any{"addresses": addresses})
}

func routes(host, index string) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/hook", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]int64{"result": hookResult.Load()})
	})
	mux.HandleFunc("/hook/set", setHook)
	mux.HandleFunc("/players/join", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]int64{"players": players.Add(1)})
	})
	mux.HandleFunc("/players/leave", leave)
	mux.HandleFunc("/lookup", lookup)
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, version) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"version": version, "podIndex": index, "host": host, "players": players.Load()})
	})
	return mux
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "version" {
		fmt.Println(version)
		return
	}
	if strings.HasSuffix(version, "-broken") {
		log.Fatalf("version %s ends at once: it is there to show how a bad release is held", version)
	}
	hookResult.Store(1)
	if text := os.Getenv("GAME_HOOK_RESULT"); text != "" {
		value, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			log.Fatalf("GAME_HOOK_RESULT=%q is not a whole number", text)
		}
		hookResult.Store(value)
	}
	host, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	index := os.Getenv("POD_INDEX")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		os.Exit(0)
	}()
	server := &http.Server{Addr: ":8080", Handler: routes(host, index), ReadHeaderTimeout: 5 * time.Second}
	fmt.Printf("game-demo %s on %s, index %q\n", version, host, index)
	log.Fatal(server.ListenAndServe())
}
