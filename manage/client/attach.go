package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// MaxAttachment is how large a file may be that goes with a question, in bytes.
const MaxAttachment = 20 << 20

// Attachment is a file that goes with a question.
type Attachment struct {
	Name  string // without its folder
	Media string // its MIME type, as image/png; "" is text
	Data  []byte
}

// ReadAttachment reads a file that is to go with a question: text, an image (PNG, JPEG, GIF, WebP) or a PDF.
func ReadAttachment(name string) (*Attachment, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the file: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("is a folder")
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(f, MaxAttachment+1))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("cannot read the file %s: %w", name, err)
	}
	return NewAttachment(filepath.Base(name), data)
}

// NewAttachment judges by its content what a file is.
func NewAttachment(name string, data []byte) (*Attachment, error) {
	if len(data) > MaxAttachment {
		return nil, fmt.Errorf("%s is larger than %d MB\nhint: a part of it, or a smaller image, may do", name, MaxAttachment>>20)
	}
	media, _, err := mime.ParseMediaType(http.DetectContentType(data))
	if err != nil {
		return nil, err
	}
	switch {
	case media == "image/png", media == "image/jpeg", media == "image/gif", media == "image/webp", media == "application/pdf":
		return &Attachment{name, media, data}, nil
	case utf8.Valid(data) && !bytes.ContainsRune(data, 0):
		return &Attachment{name, "", data}, nil
	}
	return nil, fmt.Errorf("%s is %s, which cannot be asked about\nhint: text in UTF-8, PNG, JPEG, GIF, WebP and PDF can", name, media)
}

// IsImage reports whether the file is an image.
func (f *Attachment) IsImage() bool { return strings.HasPrefix(f.Media, "image/") }

// String names the file with its kind and size.
func (f *Attachment) String() string {
	kind := f.Media
	if kind == "" {
		kind = "text"
	}
	if len(f.Data) < 1<<10 {
		return fmt.Sprintf("%s (%s, %d bytes)", f.Name, kind, len(f.Data))
	}
	return fmt.Sprintf("%s (%s, %d KB)", f.Name, kind, len(f.Data)>>10)
}

// block is a part in Anthropic's form. Text goes as text, with its name and in a fence that does not occur in it.
func (p Part) block() block {
	switch f := p.Attached; {
	case f == nil:
		return block{Type: "text", Text: p.Text}
	case f.Media == "":
		fence := "```"
		for bytes.Contains(f.Data, []byte(fence)) {
			fence += "`"
		}
		return block{Type: "text", Text: fmt.Sprintf("File %s:\n%s\n%s\n%[2]s", f.Name, fence, strings.TrimSuffix(string(f.Data), "\n"))}
	case f.IsImage():
		return block{Type: "image", Source: &source{"base64", f.Media, f.Data}}
	default:
		return block{Type: "document", Title: f.Name, Source: &source{"base64", f.Media, f.Data}}
	}
}
