package alerts

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"
)

// Ports of SMTP, RFC 8314.
const (
	portSTARTTLS = 587
	portTLS      = 465
)

// mailChannel sends by a mail server that its sender has an account with.
type mailChannel struct {
	smtp  *url.URL
	from  string // empty is the account's name
	to    []string
	roots *x509.CertPool
}

func (mailChannel) Name() string { return Mail }

func (c mailChannel) Send(ctx context.Context, m Message) error {
	msg := mail.NewMsg()
	msg.Subject(m.Subject())
	msg.SetDateWithValue(m.Time)
	msg.SetMessageID()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody answers it by machine
	msg.SetBodyString(mail.TypeTextPlain, m.Text())
	if err := msg.From(c.sender()); err != nil {
		return fmt.Errorf("ALERT_MAIL_FROM is to be set: %w", err)
	}
	if err := msg.To(c.to...); err != nil {
		return err
	}
	client, err := c.client(m.Server)
	if err != nil {
		return err
	}
	return unreached(client.DialAndSendWithContext(ctx, msg), c.smtp.Host)
}

func (c mailChannel) sender() string {
	if user := c.smtp.User.Username(); c.from == "" && strings.Contains(user, "@") {
		return user
	}
	return cmp.Or(c.from, c.to[0])
}

// client speaks TLS, but with a mail server on this machine, which may have none.
func (c mailChannel) client(server string) (*mail.Client, error) {
	host, port := c.smtp.Hostname(), portSTARTTLS
	options := []mail.Option{mail.WithTimeout(SendTime), mail.WithTLSConfig(&tls.Config{ServerName: host, RootCAs: c.roots, MinVersion: tls.VersionTLS12})}
	ip := net.ParseIP(host)
	switch {
	case c.smtp.Scheme == "smtps":
		port = portTLS
		options = append(options, mail.WithSSL())
	case c.smtp.User == nil && (host == "localhost" || ip != nil && ip.IsLoopback()):
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if text := c.smtp.Port(); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		port = n
	}
	if c.smtp.User != nil {
		password, _ := c.smtp.User.Password()
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.smtp.User.Username()), mail.WithPassword(password))
	}
	return mail.NewClient(host, append(options, mail.WithPort(port), mail.WithHELO(heloName(server)))...)
}

// heloName is a server's name as a mail server takes it.
func heloName(server string) string {
	name := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, server)
	return cmp.Or(name, "localhost")
}
