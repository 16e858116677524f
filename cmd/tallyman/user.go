package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

type userCmd struct {
	Add      userAddCmd      `cmd:"" help:"Let a person sign in with a user name and a password."`
	Role     userRoleCmd     `cmd:"" help:"Give a person a role at a site, with limits, or take it back."`
	Ref      userRefCmd      `cmd:"" help:"Say which users of WMS and ERP a person is."`
	Password userPasswordCmd `cmd:"" help:"Set another password; it also unlocks, and ends sessions."`
	Disable  userDisableCmd  `cmd:"" help:"End a person's access at once."`
	List     userListCmd     `cmd:"" help:"List people, roles and limits."`
}

// Help explains the commands at length.
func (*userCmd) Help() string {
	return `A person who approves needs four things:

  tallyman user add anna --name "Anna Berg" --email anna@example.com
  tallyman user role anna supervisor --site DC7 --limit 2500 --daily 20000
  tallyman user ref anna abe27          her user names in WMS and ERP, all of them
  tallyman serve                        she signs in at /signin and opens /steps

Without "user ref" it is not known whether she counted or received something
herself, and she cannot approve what follows from a count or a receipt. What she
may do follows from her roles alone; there is no administrator who may do more.
Every change is an entry of the audit log, and holds from the next click on.`
}

type userAddCmd struct {
	database
	Login string `arg:"" help:"User name to sign in with, in lower case."`
	Name  string `required:"" help:"The person's name, as others see it."`
	Email string `help:"Joins this person with a later sign-in through an identity provider."`
}

// Help explains the command at length.
func (*userAddCmd) Help() string {
	return fmt.Sprintf(`The password is asked for, or read from the first line of the standard input:
it is never an argument, which other users of the machine could read. It has at
least %d characters. One human is one person: do not add anybody twice, or one
of them could approve what the other proposed.`, store.MinPassword)
}

// Run adds the person.
func (c *userAddCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	password, err := readPassword(os.Stdin, os.Stderr)
	if err != nil {
		return err
	}
	id, err := db.AddPerson(ctx, store.Administrator{}, c.Login, c.Name, c.Email, password)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s is person %d and has no role yet: tallyman user role %s ROLE --site CODE --limit AMOUNT --daily AMOUNT\n", c.Name, id, c.Login)
	return nil
}

// readPassword asks a terminal twice, or reads the first line of anything else.
func readPassword(in *os.File, ask io.Writer) (string, error) {
	fd := int(in.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	fmt.Fprint(ask, "Password: ")
	first, err := term.ReadPassword(fd)
	fmt.Fprintln(ask)
	if err != nil {
		return "", err
	}
	fmt.Fprint(ask, "Again: ")
	second, err := term.ReadPassword(fd)
	fmt.Fprintln(ask)
	if err == nil && string(first) != string(second) {
		err = errors.New("the two were not the same; nothing was changed")
	}
	return string(first), err
}

type userRoleCmd struct {
	database
	Who    string `arg:"" help:"User name, email or number."`
	Role   string `arg:"" help:"Such as supervisor, inventory_control, finance, controller, policy_owner."`
	Site   string `required:"" help:"Code of the site; * for every site."`
	Limit  string `help:"Largest value of one step: an amount such as 2500.00, or the word unlimited."`
	Daily  string `help:"Largest sum approved in 24 hours: an amount, or the word unlimited."`
	Revoke bool   `help:"Take the role back instead."`
}

// Help explains the command at length.
func (*userRoleCmd) Help() string {
	return `A limit that is left out is zero: such a person can approve what costs nothing and
no more. Unlimited must be said, for both limits together. Giving a role again
changes its limits.`
}

// Run gives or takes the role.
func (c *userRoleCmd) Run(ctx context.Context) error {
	g := guardrails.Grant{Role: guardrails.Role(c.Role), Site: warehouse.Site(c.Site)}
	for _, l := range []struct {
		text string
		to   *guardrails.Limit
	}{{c.Limit, &g.Limit}, {c.Daily, &g.Daily}} {
		if l.text == "" {
			continue
		}
		limit, err := guardrails.ParseLimit(l.text)
		if err != nil {
			return err
		}
		*l.to = limit
	}
	return c.with(ctx, c.Who, func(db *store.DB, p *store.PersonRow) error {
		if c.Revoke {
			return db.RevokeRole(ctx, store.Administrator{}, p.ID, g.Role, g.Site)
		}
		return db.GrantRole(ctx, store.Administrator{}, p.ID, g)
	})
}

// with runs an action on a person that somebody named.
func (d *database) with(ctx context.Context, who string, do func(*store.DB, *store.PersonRow) error) error {
	db, closeAll, err := d.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	p, err := db.FindPerson(ctx, who)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("nobody is called %q; \"tallyman user list\" shows everybody", who)
	}
	if err != nil {
		return err
	}
	return do(db, &p)
}

type userRefCmd struct {
	database
	Who  string   `arg:"" help:"User name, email or number."`
	Refs []string `arg:"" optional:"" help:"User names in other systems, all of them; none says that the person has none."`
}

// Run sets the user names.
func (c *userRefCmd) Run(ctx context.Context) error {
	return c.with(ctx, c.Who, func(db *store.DB, p *store.PersonRow) error {
		return db.SetRefs(ctx, store.Administrator{}, p.ID, c.Refs)
	})
}

type userPasswordCmd struct {
	database
	Who string `arg:"" help:"User name, email or number."`
}

// Run sets the password.
func (c *userPasswordCmd) Run(ctx context.Context) error {
	return c.with(ctx, c.Who, func(db *store.DB, p *store.PersonRow) error {
		password, err := readPassword(os.Stdin, os.Stderr)
		if err != nil {
			return err
		}
		return db.SetPassword(ctx, store.Administrator{}, p.ID, password)
	})
}

type userDisableCmd struct {
	database
	Who string `arg:"" help:"User name, email or number."`
}

// Help explains the command at length.
func (*userDisableCmd) Help() string {
	return `Sessions end at once. What the person approved and was not sent yet no longer
counts. What they decided stays on record.`
}

// Run ends the access.
func (c *userDisableCmd) Run(ctx context.Context) error {
	return c.with(ctx, c.Who, func(db *store.DB, p *store.PersonRow) error {
		return db.Deactivate(ctx, store.Administrator{}, p.ID)
	})
}

type userListCmd struct{ database }

// Run lists the people.
func (c *userListCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	list, err := db.Persons(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		fmt.Fprintln(os.Stdout, `Nobody yet. Begin with: tallyman user add LOGIN --name "Their Name"`)
		return nil
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "NUMBER\tNAME\tSIGNS IN AS\tSTATE\tUSERS ELSEWHERE\tROLES")
	for i := range list {
		p := &list[i]
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Name, join(p.Accounts, "-"), personState(p), refsText(p), join(roleTexts(p), "-"))
	}
	return t.Flush()
}

func personState(p *store.PersonRow) string {
	switch {
	case !p.Active:
		return "disabled"
	case p.Locked != nil:
		return "locked until " + p.Locked.Format("15:04")
	}
	return "active"
}

func refsText(p *store.PersonRow) string {
	if !p.RefsKnown {
		return "not known"
	}
	return join(p.Refs, "none")
}

func roleTexts(p *store.PersonRow) []string {
	var texts []string
	for _, g := range p.Grants {
		texts = append(texts, fmt.Sprintf("%s@%s(%s/%s a day)", g.Role, g.Site, limitText(g.Limit), limitText(g.Daily)))
	}
	return texts
}

func limitText(l guardrails.Limit) string {
	if l.Unlimited {
		return "unlimited"
	}
	return warehouse.Money{Minor: l.Minor}.String()
}
