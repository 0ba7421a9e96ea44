// A handler of package handler whose function does nothing but read its message.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/rs/zerolog"

	"visionkeeper/handler"
)

func main() {
	h := handler.New(handler.Options{Level: zerolog.InfoLevel})
	h.Handle("notifications", func(_ context.Context, inv *handler.Invocation) error {
		_, err := inv.Bytes("message")
		return err
	})
	fmt.Fprintln(os.Stderr, h.ListenAndServe(context.Background(), os.Getenv))
	os.Exit(1)
}
