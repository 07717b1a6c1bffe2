package remote

import (
	"os"
	"sync"
	"time"
)

// clock ends a handshake that takes too long. It stands still while a person answers.
type clock struct {
	timeout time.Duration

	mu      sync.Mutex
	timer   *time.Timer // nil: not started
	hangUp  func()
	expired bool
}

// start lets the clock call hangUp at the deadline.
func (c *clock) start(deadline time.Time, hangUp func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hangUp = hangUp
	c.timer = time.AfterFunc(time.Until(deadline), c.expire)
}

func (c *clock) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expired = true
	c.hangUp()
}

func (c *clock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
}

// pause returns the function that starts the clock anew, with the whole timeout.
func (c *clock) pause() (resume func()) {
	c.stop()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.timer != nil { // else it is a prompt before the connection
			c.timer.Reset(c.timeout)
		}
	}
}

// blame is what a handshake's error really was.
func (c *clock) blame(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.expired {
		return os.ErrDeadlineExceeded
	}
	return err
}
