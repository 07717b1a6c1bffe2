package offsite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// s3Place is a bucket, or what begins with a prefix in one.
type s3Place struct {
	client *minio.Client
	bucket string
	prefix string // "" or ends with a slash
	name   string
}

// partSize is how a large copy is cut, in bytes: a part that fails is sent again alone.
const partSize = 16 << 20

func openS3(u *url.URL, a Access) (*s3Place, error) {
	if a.S3Key == "" || a.S3Secret == "" {
		return nil, refusal{fmt.Errorf("%s: there is no access key for it\nhint: gca config set HOST BACKUP_S3_KEY=ID BACKUP_S3_SECRET=-", Name(u))}
	}
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds:      credentials.NewStaticV4(a.S3Key, a.S3Secret, ""),
		Secure:     u.Scheme == "s3",
		Region:     u.Query().Get("region"),
		Transport:  a.transport,
		MaxRetries: 1, // Keep tries again
	})
	if err != nil {
		return nil, refusal{fmt.Errorf("%s: %w", Name(u), err)}
	}
	return &s3Place{client, bucket, prefix, Name(u)}, nil
}

// Put needs no temporary name: an object is there when all of it has arrived.
func (p *s3Place) Put(ctx context.Context, name string, r io.Reader, size int64) error {
	_, err := p.client.PutObject(ctx, p.bucket, p.prefix+name, r, size, minio.PutObjectOptions{
		ContentType: "application/octet-stream",
		PartSize:    partSize,
		// Parts that are signed piece by piece are not understood by every server; a sum is.
		SendContentMd5: true, DisableContentSha256: true,
	})
	return p.explain(ctx, err)
}

func (p *s3Place) List(ctx context.Context) ([]Copy, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var copies []Copy
	for one := range p.client.ListObjects(ctx, p.bucket, minio.ListObjectsOptions{Prefix: p.prefix}) {
		if one.Err != nil {
			return nil, p.explain(ctx, one.Err)
		}
		if name := strings.TrimPrefix(one.Key, p.prefix); name != "" && !strings.Contains(name, "/") {
			copies = append(copies, Copy{name, one.Size})
		}
		if len(copies) == maxListed {
			return nil, fmt.Errorf("%s holds more than %d files", p.name, maxListed)
		}
	}
	return copies, nil
}

// maxListed bounds what is read of a place's list.
const maxListed = 100_000

func (p *s3Place) Remove(ctx context.Context, name string) error {
	return p.explain(ctx, p.client.RemoveObject(ctx, p.bucket, p.prefix+name, minio.RemoveObjectOptions{}))
}

func (p *s3Place) Close() error { return nil }

// explain says what can be done about an error of S3's, and whether another try may help.
func (p *s3Place) explain(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	answer := minio.ToErrorResponse(err)
	err = fmt.Errorf("%s: %w", p.name, err)
	switch answer.Code {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch":
		return refusal{fmt.Errorf("%w\nhint: look at the access key: gca config set HOST BACKUP_S3_KEY=ID BACKUP_S3_SECRET=-", err)}
	case "AccessDenied":
		return refusal{fmt.Errorf("%w\nhint: the access key must be allowed to list the bucket, and to put and delete in it", err)}
	case "NoSuchBucket":
		return refusal{fmt.Errorf("%w\nhint: make the bucket %s at the provider, or name another one in BACKUP_TO", err, p.bucket)}
	case "RequestTimeTooSkewed":
		return refusal{fmt.Errorf("%w\nhint: the server's clock is wrong: timedatectl", err)}
	}
	if slices.Contains([]string{"AuthorizationHeaderMalformed", "PermanentRedirect"}, answer.Code) {
		return refusal{fmt.Errorf("%w\nhint: name the bucket's region in BACKUP_TO: s3://ENDPOINT/BUCKET?region=REGION", err)}
	}
	return err
}
