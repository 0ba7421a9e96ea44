//go:build !linux && !darwin

package archive

// freeSpace isn't known here.
func freeSpace(string) (free uint64, known bool) { return 0, false }
