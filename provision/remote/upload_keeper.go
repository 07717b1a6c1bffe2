package remote

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"
)

// keeper is the shell script behind every upload, one exec in place of many round
// trips. Under the part's name it puts a copy of what is there, so that another
// keeper, left over on a dead link, goes on in a file that nobody looks at; and it
// tells what that holds. Then it reads one line: how the bytes come, where they
// begin, and what they all are to be.
//
// An end of the input that comes too early is a lost connection: the part stays.
// It goes where it has become useless, or where it has filled the disk, and with it
// the folders that were made for it.
//
// A signal only interrupts what it is at, for dash skips its EXIT trap when
// another trap exits in the midst of it.
const keeper = `LC_ALL=C; export LC_ALL; umask 022
dst=%s part=%s sum=%x mode=%o size=%d most=%d behind=%d
dir=${dst%%/*}/ tmp= drop=
new=$(d=$dir; while [ ! -d "$d" ]; do echo "$d"; d=$(dirname "$d"); done | tail -n 1)
mkdir -p "$dir" || exit 1
umask 077
trap 'trap "" HUP INT TERM PIPE
rm -f "$tmp"
[ -s "$mine" ] || drop=1
[ -z "$drop" ] || [ ! "$part" -ef "$mine" ] || rm -f "$part"
[ -z "$new" ] || find "$new" -depth -type d -empty -delete' EXIT; trap : HUP INT TERM PIPE
mine=/proc/$$/fd/3
tmp=$(mktemp "$part.XXXXXX") || exit 1
if [ -f "$part" ]; then head -c "$most" "$part" >"$tmp" || exit 1; fi
exec 3>>"$tmp"
mv -fT "$tmp" "$part" || exit 1
sumof() { sha256sum "$@" | head -c 64; }
have=$(wc -c <"$mine") safe=$((have > behind ? have - behind : 0))
echo "gca-have $have $(sumof <"$mine") $safe $(head -c $safe "$mine" | sumof) $(df -k --output=avail,target "$dir" | tail -n 1)"
read -r way offset packed packedsum || exit 1
case $way in
stdin) truncate -s "$offset" "$mine" && cat >&3
case $? in 0) ;; 1) drop=1; exit 1 ;; *) exit 1 ;; esac ;;
sftp) ;;
*) exit 1 ;;
esac
got=$(wc -c <"$mine")
[ "$got" -le "$packed" ] || drop=1
[ "$got" -eq "$packed" ] || { echo "$got of $packed bytes arrived" >&2; exit 1; }
[ "$(sumof <"$mine")" = "$packedsum" ] || { drop=1; echo "what arrived is not what was sent" >&2; exit 1; }
tmp=$(mktemp "$part.XXXXXX") && gzip -dc <"$mine" >"$tmp" || exit 1
[ "$(wc -c <"$tmp")" -eq "$size" ] && [ "$(sumof <"$tmp")" = "$sum" ] || { drop=1; echo "the SHA-256 sum is not $sum" >&2; exit 1; }
sync "$tmp" && chmod "$mode" "$tmp" && mv -fT "$tmp" "$dst" && sync "$dir" || exit 1
drop=1
`

func (u *upload) script() string {
	most := u.file.Size + u.file.Size/100 + 4096 // gzip adds little to what cannot be compressed
	return fmt.Sprintf(keeper, Quote(u.file.Path), Quote(u.part), u.file.SHA256, u.file.Mode, u.file.Size, most, maxInFlight)
}

// holding is what a keeper says of the part that it has found.
type holding struct {
	size    int64
	sum     string // hex, of the whole part
	safe    int64  // bytes before which an interrupted sftp has left no holes
	safeSum string // hex, of that much
	freeKiB int64  // of the file system; -1 unknown
	mount   string // where that is mounted
}

// readHolding skips what a login shell prints before it. A line is bounded by out's buffer.
func readHolding(out *bufio.Reader) (*holding, error) {
	for range MaxNoise {
		line, err := out.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			break
		}
		if err != nil {
			return nil, err
		}
		h := &holding{freeKiB: -1}
		said, found := strings.CutPrefix(string(line), "gca-have ")
		if !found {
			continue
		}
		if n, err := fmt.Sscan(said, &h.size, &h.sum, &h.safe, &h.safeSum, &h.freeKiB, &h.mount); n < 4 {
			return nil, &Error{Kind: KindRemote, Message: fmt.Sprintf("the server's answer makes no sense: %.100q", said), Err: err}
		}
		return h, nil
	}
	return nil, &Error{Kind: KindRemote, Message: "the server's login shell prints too much", Hint: quietHint}
}

// prefixOf is how many bytes of packed the server has beyond doubt.
func (h *holding) prefixOf(packed []byte) int64 {
	has := func(n int64, sum string) bool { return n >= 0 && n <= int64(len(packed)) && sumOf(packed[:n]) == sum }
	switch {
	case has(h.size, h.sum):
		return h.size
	case has(h.safe, h.safeSum):
		return h.safe
	}
	return 0
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// enough refuses before the first byte what cannot fit: what is still to come, and
// the unpacked file beside it.
func (u *upload) enough(h *holding) error {
	need := u.file.Size + max(0, int64(len(u.packed))-h.size)
	if h.freeKiB < 0 || need <= h.freeKiB<<10 {
		return nil
	}
	return &Error{Kind: KindRemote, Message: fmt.Sprintf("no space for the upload on %s: %.1f MB needed, %.1f MB free on %s",
		u.conn.host.Name(), float64(need)/1e6, float64(h.freeKiB<<10)/1e6, h.mount), Hint: u.makeRoom()}
}

func (u *upload) makeRoom() string {
	return "make room; on the server, `df -h " + Quote(path.Dir(u.part)) + "` shows what is left, and `apt-get clean` frees some"
}

// explain finds the cause behind what the two channels said.
func (u *upload) explain(ctx context.Context, err error) error {
	var told *Error
	var exit *ExitError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &told):
		return told
	case u.conn.alive.Err() != nil:
		return u.conn.broken(err)
	}
	e := &Error{Kind: KindRemote, Message: fmt.Sprintf("cannot upload %d bytes to %s:%s", u.file.Size, u.conn.host.Name(), u.file.Path), Err: err}
	if !errors.As(err, &exit) {
		return e
	}
	dir := Quote(path.Dir(u.part))
	for _, known := range []struct{ words, means, hint string }{
		{"No space left on device", "its disk is full", u.makeRoom()},
		{"quota exceeded", "root's disk quota is used up", "raise it; on the server, `repquota -a` shows it"},
		{"Read-only file system", "its file system is read-only", "on the server, `dmesg | tail` says why; often a reboot with a check of the disk is needed"},
		{"Operation not permitted", "not even root may write there", "on the server, `lsattr -d " + dir + "` shows what was made immutable; `chattr -i` ends that"},
		{"Permission denied", "not even root may write there", "on the server, `findmnt -T " + dir + "` shows how it is mounted"},
	} {
		if strings.Contains(exit.Stderr, known.words) {
			e.Message, e.Hint, e.Err = e.Message+": "+known.means, known.hint, nil
			break
		}
	}
	return e
}
