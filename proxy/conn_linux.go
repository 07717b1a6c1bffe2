package proxy

import "golang.org/x/sys/unix"

// tcpEstablished is the first of the kernel's states of a connection (linux, net/tcp_states.h).
const tcpEstablished = 1

// hungUp reports whether the other end closed its side, which hides behind what it sent and nobody has read.
func hungUp(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State != tcpEstablished
}
