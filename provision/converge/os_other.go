//go:build !unix

package converge

import (
	"errors"
	"io/fs"
	"os"
)

// A laptop without these needs the wire alone: an agent runs on a Linux server.

func setUmask(int) {}

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

func diskOf(string) (disk, error) { return disk{}, errors.ErrUnsupported }

func (s *reader) writable(string) bool { return false }

func (s *reader) lockHolder(string) (int, error) { return 0, errors.ErrUnsupported }

func linksOf(fs.FileInfo) uint64 { return 1 }

func ownerOf(fs.FileInfo) (uid, gid int) { return 0, 0 }
