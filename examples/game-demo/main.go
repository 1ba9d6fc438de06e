// A tiny game server: enough to show hooks, indexes and updates in place.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

var version = "dev"

// hookResult is what /hook answers; 1 means "go ahead", 0 means "players are inside".
var hookResult atomic.Int64

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		fmt.Fprintln(os.Stderr, "reply:", err)
	}
}

func setHook(w http.ResponseWriter, r *http.Request) {
	value, err := strconv.ParseInt(r.URL.Query().Get("result"), 10, 64)
	if err != nil {
		http.Error(w, "result must be a number, like /hook/set?result=0", http.StatusBadRequest)
		return
	}
	hookResult.Store(value)
	reply(w, map[string]int64{"result": value})
}

func main() {
	if initial, err := strconv.ParseInt(os.Getenv("GAME_HOOK_RESULT"), 10, 64); err == nil {
		hookResult.Store(initial)
	} else {
		hookResult.Store(1)
	}
	host, _ := os.Hostname()
	index := os.Getenv("POD_INDEX")
	mux := http.NewServeMux()
	mux.HandleFunc("/hook", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]int64{"result": hookResult.Load()})
	})
	mux.HandleFunc("/hook/set", setHook)
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, version) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]string{"version": version, "podIndex": index, "host": host})
	})
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}()
	fmt.Printf("game-demo %s on %s, index %q\n", version, host, index)
	if err := server.ListenAndServe(); err != nil && err != http.ErrServerClosed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
