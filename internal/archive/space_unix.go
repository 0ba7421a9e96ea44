//go:build linux || darwin

package archive

import "syscall"

// freeSpace is how many bytes a folder's disk has left for this process.
func freeSpace(dir string) (free uint64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
