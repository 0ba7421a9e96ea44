// Visionkeeper reacts to Azure Custom Vision's notifications: it archives every
// exported model with a proof, asks for the exports a policy wants, and trains and
// publishes by it. It is a custom handler for Azure Functions, and has verbs for
// people. Start reading at cli.Main.
package main

import (
	"os"

	"visionkeeper/internal/cli"
)

// version is set by the Makefile.
var version = "development"

func main() { os.Exit(cli.Main(version)) }
