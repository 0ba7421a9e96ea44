package emulator

import (
	"time"

	"visionkeeper/internal/storage"
)

// Options says how the emulated service is set up. Only Key is needed.
type Options struct {
	Key string // the Training-Key that callers must send

	// TrainTime, ExportTime and ImportTime are how long a training, an export
	// and the import of a project take; zero ends them at once.
	TrainTime, ExportTime, ImportTime time.Duration

	// State is a file that keeps everything over a restart, pictures in a folder
	// beside it; "" keeps it in memory.
	State string

	// Storage is the customer's account, to which a project's
	// notificationQueueUri and exportModelContainerUri must belong. Without it
	// both are kept untested and messages are only listed by Messages.
	Storage storage.Account
	// ServiceStorage is the service's own account, where exported packages lie
	// and downloadUri points with a SAS. Without it the emulator serves them.
	ServiceStorage storage.Account

	// URL is where the server is reached, for the links it hands out. Empty
	// takes the Host header of the request.
	URL string

	// ModelSize is the size of an exported model file in bytes; 0 is 3 MB.
	ModelSize int
	// DownloadLife is how long a downloadUri serves; 0 is 24 hours.
	DownloadLife time.Duration

	// Tier applies the limits of the pricing tier "F0" or "S0"; "" has none.
	Tier string
	// NoValidation lets a project train without tags and images and past 20 iterations.
	NoValidation bool
	// Bearer accepts any bearer token in place of the key.
	Bearer bool

	// Frozen makes the clock stand still at this instant until it is set or
	// advanced. Zero is the real clock.
	Frozen time.Time

	// Logf is told what went wrong with storage; nil is silent.
	Logf func(format string, args ...any)

	// Answers chooses what the emulator does where the real service's behaviour
	// isn't known. What isn't chosen takes the question's first value.
	Answers map[Question]string
}

const (
	defaultModelSize    = 3_000_000
	defaultDownloadLife = 24 * time.Hour // measured: se = time of the call + 24 h
)
