//go:build unix && !linux

package proxy

// hungUp knows nothing here: that a client left is seen when what it sent was read.
func hungUp(int) bool { return false }
