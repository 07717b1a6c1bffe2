package converge

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// OwnState is the Fix of files of the state that the service may not write: [GiveState] mends it.
const OwnState = "own state"

const unsaved = "key states and usage cannot be kept"

// UnsavedState is what keeps the adapter of this server from saving its state, and lets it go on in memory alone. It takes root,
// whom the folder is open to.
func UnsavedState() ([]Finding, error) {
	s := newReader("/")
	owner, found, err := s.serviceOwner()
	if err != nil || !found {
		return nil, err // without its user nothing runs
	}
	folder, err := s.look(stateDir)
	if err != nil {
		return nil, err
	}
	return append(stateFolder(folder, owner), stateFiles(s, owner)...), nil
}

// serviceOwner is the user that the adapter runs as, if there is one.
func (s *reader) serviceOwner() (Owner, bool, error) {
	var f Facts
	err := collectUsers(s, &f)
	return f.User.Owner, f.User.User && f.User.Group, err
}

// stateFolder says whether the folder of the state is the service's.
func stateFolder(st PathState, owner Owner) []Finding {
	if st.Kind == PathDir && st.UID == owner.UID {
		return nil
	}
	return []Finding{failure("state", stateDir+" is gone, or belongs to somebody else", unsaved, "gemini-manage doctor --fix").fixedBy(AsDeployed)}
}

// stateFiles says whether the service may write what it keeps its state in.
func stateFiles(s *reader, owner Owner) []Finding {
	foreign, err := foreignState(s, owner)
	if err != nil || len(foreign) == 0 {
		return nil // a folder that cannot be read is said already
	}
	return []Finding{failure("state-file", serviceUser+" may not write "+strings.Join(foreign, ", "), unsaved, "gemini-manage doctor --fix").fixedBy(OwnState)}
}

// foreignState are the files of the state that owner may not write. Links are none.
func foreignState(s *reader, owner Owner) ([]string, error) {
	entries, err := os.ReadDir(s.at(stateDir))
	if err := ignoreMissing(err); err != nil {
		return nil, err
	}
	var foreign []string
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".db") && !isCompanion(name) || setAside(name) {
			continue
		}
		info, err := entry.Info()
		if err := ignoreMissing(err); err != nil {
			return nil, err
		}
		if info != nil && info.Mode().IsRegular() && !mayWrite(info, owner) {
			foreign = append(foreign, filepath.Join(stateDir, name))
		}
	}
	return foreign, nil
}

// mayWrite reports whether the owner may read and write a file.
func mayWrite(info fs.FileInfo, owner Owner) bool {
	needed := fs.FileMode(0o006)
	switch uid, gid := ownerOf(info); {
	case uid == owner.UID:
		needed = 0o600
	case gid == owner.GID:
		needed = 0o060
	}
	return info.Mode()&needed == needed
}

// GiveState gives the service the files of its state that it may not write. In its folder it may put anything in their place
// meanwhile; what is no plain file with one name stays as it is, and is an error.
func GiveState() error { return giveState(newReader("/")) }

func giveState(s *reader) error {
	owner, found, err := s.serviceOwner()
	if err != nil || !found {
		return err
	}
	foreign, err := foreignState(s, owner)
	for _, path := range foreign {
		err = errors.Join(err, giveFile(s, path, owner))
	}
	return err
}

func giveFile(s *reader, path string, owner Owner) error {
	f, err := s.openPlain(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Chown(owner.UID, owner.GID), f.Chmod(0o600), f.Close())
}
