package features

import "math"

// apply folds one fact into the positions it touches and into its site. What
// is known of loads is judged as of before.
func (s *site) apply(c *Coder, f *Fact, before int64) {
	t := s.touch(c, f)
	for i, touched := range [2]uint32{t.place, t.other} {
		if touched == 0 {
			continue
		}
		s.outcomes = s.outcomes[:0]
		p, e := s.positions.at(touched-1), f.entry(i == 1)
		x := s.enter(p, &e)
		s.spread(f, p.home, &x)
	}
	s.take(c, f, before)
}

// take folds into the site what a fact says of more than its positions.
func (s *site) take(c *Coder, f *Fact, before int64) {
	s.offset.set(f.At, f.Offset)
	if f.Place == 0 {
		s.items.at(s.item(f.SKU)).listed = true // it is here, whatever its book
	}
	if f.more != nil {
		s.items.at(s.item(f.SKU)).describe(f)
	}
	switch f.Kind {
	case kindASN:
		s.announce(c, f, before)
	case kindReceipt:
		s.receive(c, f, before)
	default:
	}
}

func (s *site) credit(scope scope, id uint32, day int32, n *sums) {
	s.outbox = append(s.outbox, credit{scope, id, day, *n})
}

// logSize is ln(1+|q|) of a quantity in units, in thousandths.
func logSize(q int64) int32 {
	return int32(math.Round(1000 * math.Log1p(math.Abs(float64(q))/1000)))
}

func (s *site) line(f *Fact) *line {
	d := f.detail()
	key := lineKey{d.load, d.line}
	l, ok := s.lines[key]
	if !ok {
		l = &line{load: d.load, number: d.line}
		s.lines[key] = l
		s.loads[d.load] = append(s.loads[d.load], l)
	}
	return l
}

func (s *site) announce(c *Coder, f *Fact, before int64) {
	it, n := s.items.at(s.item(f.SKU)), f.notice()
	if n.supplier != 0 {
		it.supplier.set(f.At, n.supplier)
	}
	l := s.line(f)
	l.addNotice(n)
	s.rejudge(c, l, before)
}

func (s *site) receive(c *Coder, f *Fact, before int64) {
	d := f.detail()
	if d.supplier != 0 {
		s.items.at(s.item(f.SKU)).supplier.set(f.At, d.supplier)
	}
	if d.load == 0 {
		return
	}
	l := s.line(f)
	l.addReceipt(receipt{at: f.At, known: f.Known, qty: f.Qty, sku: f.SKU, supplier: d.supplier, carrier: d.carrier, user: f.User})
	s.rejudge(c, l, before)
}

// advance makes known what the passing of time alone tells.
func (s *site) advance(c *Coder, before int64) {
	for l := s.timers.due(before); l != nil; l = s.timers.due(before) {
		s.rejudge(c, l, l.timer)
	}
}

// rejudge brings what is credited for a line up to what is known of it.
func (s *site) rejudge(c *Coder, l *line, before int64) {
	o, next := l.judge(before)
	if o != l.credited {
		s.inbound(c, &l.credited, -1)
		s.inbound(c, &o, 1)
		l.credited = o
	}
	s.timers.schedule(l, next)
}

// inbound credits what is known of a line to every key it tells something
// about.
func (s *site) inbound(c *Coder, o *lineOutcome, n int32) {
	if o.late != unknown {
		var late sums
		late.add(mDue, n)
		if o.late == yes {
			late.add(mLate, n)
		}
		s.creditLine(c, &o.notice, dayOf(o.lateAt), &late)
	}
	s.open(o, n)
	if !o.settled {
		return
	}
	var settled sums
	settled.add(mClosed, n)
	switch {
	case o.short > 0:
		settled.add(mShort, n)
	case o.short < 0:
		settled.add(mExcess, n)
	}
	if o.edits > 0 {
		settled.add(mEdits, n)
	}
	s.creditLine(c, &o.notice, dayOf(o.at), &settled)
}

func (s *site) creditLine(c *Coder, of *notice, day int32, n *sums) {
	if of.supplier != 0 {
		s.supplierOf(of.supplier).on(day).addAll(n)
		s.credit(scopeSupplier, of.supplier, day, n)
	}
	s.credit(scopeCarrier, of.carrier, day, n)
	s.credit(scopeInboundSKU, of.sku, day, n)
	s.credit(scopeInboundSite, s.id, day, n)
	s.credit(scopeInbound, 0, day, n)
	for _, a := range c.attrs[of.attrs] {
		if math.IsNaN(a.number) {
			s.credit(scopeAttr, a.value, day, n)
		}
	}
}

// open credits a supplier with a line that is still to come, from its notice
// until it comes or is awaited no more, and with its being overdue.
func (s *site) open(o *lineOutcome, n int32) {
	if o.notice.supplier == 0 || o.notice.expectedAt == 0 {
		return
	}
	end := o.came
	if lost := o.lateAt + awaited; o.late == yes && (end == 0 || end > lost) {
		end = lost
	}
	during := func(m measure, start int64) {
		var begun, ended sums
		begun.add(m, n)
		s.credit(scopeOpen, o.notice.supplier, dayOf(start), &begun)
		if end != 0 {
			ended.add(m, -n)
			s.credit(scopeOpen, o.notice.supplier, dayOf(end), &ended)
		}
	}
	during(mOpen, o.since)
	if o.late == yes {
		during(mOverdue, o.lateAt)
	}
}
