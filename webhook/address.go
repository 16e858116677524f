package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

// ErrAddress reports an address that must not be reached.
var ErrAddress = errors.New("webhook: this address must not be reached")

// CheckURL reports why messages cannot be sent to a URL. Only https may be, or
// http where private addresses are allowed.
func CheckURL(raw string, private bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return err
	case u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("%w: %q needs a host, and neither user nor fragment", ErrAddress, raw)
	case u.Scheme == "https" || u.Scheme == "http" && private:
		return nil
	}
	return fmt.Errorf("%w: %q is not https", ErrAddress, raw)
}

// metadata are addresses at which clouds tell their machines' secrets.
var metadata = []netip.Addr{
	netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("fd00:ec2::254"),
}

// special are ranges that lead nowhere or hide another address (RFC 6890, 6052,
// 2765, 3056 and 4380), or that were private once (RFC 3879).
var special = prefixes("0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "::ffff:0:0:0/96", "fec0::/10", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32", "2002::/16")

// carrier is the space between a provider and its customers (RFC 6598).
var carrier = netip.MustParsePrefix("100.64.0.0/10")

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		all[i] = netip.MustParsePrefix(t)
	}
	return all
}

// CheckAddr judges a resolved address. What stands for another one, such as an
// IPv4 address in IPv6, is judged by what it stands for.
func CheckAddr(a netip.Addr, private bool) error {
	a = a.Unmap().WithZone("")
	inner := a.IsLoopback() || a.IsPrivate() || carrier.Contains(a)
	never := a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || slices.Contains(metadata, a) ||
		!inner && slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
	switch {
	case never:
		return fmt.Errorf("%w: %s", ErrAddress, a)
	case inner && !private:
		return fmt.Errorf("%w: %s is private, which this target does not allow", ErrAddress, a)
	}
	return nil
}

// dialer connects to what [CheckAddr] lets through. It asks after the name was
// resolved, for the very address that is dialled: a name that answers
// differently the second time gains nothing.
func dialer(private bool) *net.Dialer {
	return &net.Dialer{
		Timeout: 5 * time.Second,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("%w: %s", ErrAddress, address)
			}
			return CheckAddr(to.Addr(), private)
		},
	}
}
