package remote

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// pack compresses the file, the same bytes each time. What it reads must be what f
// says: a file that was built anew meanwhile is found out here.
func pack(r io.Reader, f *File) ([]byte, error) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(zip, sum), io.LimitReader(r, f.Size+1))
	if err == nil {
		err = zip.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what is to be uploaded to %s: %w", f.Path, err)
	}
	if size != f.Size || !bytes.Equal(sum.Sum(nil), f.SHA256[:]) {
		return nil, &Error{Kind: KindRemote, Message: fmt.Sprintf("cannot upload %d bytes to %s: what there is to read is not what was announced", f.Size, f.Path),
			Hint: "the file has changed in the meantime; run the command again"}
	}
	return packed.Bytes(), nil
}
