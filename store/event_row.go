package store

import (
	"encoding/binary"
	"fmt"
	"time"

	"tallyman/warehouse"
)

// eventColumns is the order in which rows of event travel, in both directions
// and in PostgreSQL's binary format. The first three are known last, when the
// intake holds the head; their places in an encoded row are fixed.
const eventColumns = `seq, recorded_at, known_at, occurred_at, utc_offset, type, source, id, site, sku, gtin,
	qty, uom, pack, from_location, to_location, location, book, expected_qty, expected_at, expected_offset,
	load, line, order_ref, supplier, carrier, lot, serial, user_ref, device, unit_cost_micros, currency, reason, attrs`

const numEventColumns = 34

// Offsets of the first values in an encoded row: after the number of columns
// and before each value its length.
const (
	seqAt        = 2 + 4
	recordedAtAt = seqAt + 8 + 4
	knownAtAt    = recordedAtAt + 8 + 4
)

// epoch is where PostgreSQL's timestamps count microseconds from.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func pgMicros(t time.Time) int64 { return t.UnixMicro() - epoch }

func pgTime(micros int64) time.Time { return time.UnixMicro(micros + epoch).UTC() }

// appendEventRow appends the event as a row of a binary COPY. Seq, recorded_at
// and known_at are left zero for [stampEventRow].
func appendEventRow(b []byte, e *warehouse.Event) []byte {
	b = binary.BigEndian.AppendUint16(b, numEventColumns)
	b = appendInt64(b, 0)
	b = appendInt64(b, 0)
	b = appendInt64(b, 0)
	b = appendInt64(b, pgMicros(e.OccurredAt))
	b = appendOffset(b, e.OccurredAt)
	b = appendText(b, string(e.Type))
	b = appendText(b, string(e.Source))
	b = appendText(b, e.ID)
	b = appendText(b, string(e.Site))
	b = appendText(b, string(e.SKU))
	b = appendText(b, string(e.GTIN))
	b = appendQty(b, e.Qty)
	b = appendText(b, e.UOM)
	b = appendQty(b, e.Pack)
	b = appendText(b, string(e.From))
	b = appendText(b, string(e.To))
	b = appendText(b, string(e.Location))
	b = appendQty(b, e.Book)
	b = appendQty(b, e.Expected)
	if e.ExpectedAt.IsZero() {
		b = appendNull(appendNull(b))
	} else {
		b = appendInt64(b, pgMicros(e.ExpectedAt))
		b = appendOffset(b, e.ExpectedAt)
	}
	b = appendText(b, string(e.Load))
	b = appendText(b, string(e.Line))
	b = appendText(b, e.Order)
	b = appendText(b, string(e.Supplier))
	b = appendText(b, string(e.Carrier))
	b = appendText(b, e.Lot)
	b = appendText(b, e.Serial)
	b = appendText(b, string(e.User))
	b = appendText(b, e.Device)
	if e.Cost.Known() {
		b = appendInt64(b, e.Cost.Micros)
	} else {
		b = appendNull(b)
	}
	b = appendText(b, string(e.Cost.Currency))
	b = appendText(b, e.Reason)
	return appendAttrs(b, e.Attrs)
}

// stampEventRow fills in what the intake decides.
func stampEventRow(row []byte, seq Seq, recordedAt, knownAt int64) {
	binary.BigEndian.PutUint64(row[seqAt:], uint64(seq))
	binary.BigEndian.PutUint64(row[recordedAtAt:], uint64(recordedAt))
	binary.BigEndian.PutUint64(row[knownAtAt:], uint64(knownAt))
}

func appendNull(b []byte) []byte { return append(b, 0xff, 0xff, 0xff, 0xff) }

func appendInt64(b []byte, v int64) []byte {
	b = append(b, 0, 0, 0, 8)
	return binary.BigEndian.AppendUint64(b, uint64(v))
}

func appendOffset(b []byte, t time.Time) []byte {
	_, seconds := t.Zone()
	b = append(b, 0, 0, 0, 2)
	return binary.BigEndian.AppendUint16(b, uint16(int16(seconds/60)))
}

func appendText(b []byte, s string) []byte {
	if s == "" {
		return appendNull(b)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func appendBytes(b, v []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
	return append(b, v...)
}

func appendQty(b []byte, q warehouse.MaybeQty) []byte {
	if !q.Known {
		return appendNull(b)
	}
	return appendInt64(b, int64(q.Qty))
}

// An eventDecoder turns rows in binary format into events. Codes that repeat
// share one string.
type eventDecoder struct {
	values  [][]byte
	strings map[string]string
	zones   map[int16]*time.Location
}

// maxInterned bounds the memory of shared strings; past it they start afresh.
const maxInterned = 1 << 20

func newEventDecoder() *eventDecoder {
	return &eventDecoder{strings: make(map[string]string), zones: map[int16]*time.Location{0: time.UTC}}
}

// decode reads a row with [eventColumns].
func (d *eventDecoder) decode(values [][]byte, e *Recorded) error {
	if len(values) != numEventColumns {
		return fmt.Errorf("event row has %d columns, want %d", len(values), numEventColumns)
	}
	d.values = values
	var err error
	*e = Recorded{Seq: Seq(d.int64()), RecordedAt: pgTime(d.int64()), KnownAt: pgTime(d.int64())}
	e.OccurredAt = d.time()
	e.Type = warehouse.Type(d.code())
	e.Source = warehouse.Source(d.code())
	e.ID = string(d.next())
	e.Site = warehouse.Site(d.code())
	e.SKU = warehouse.SKU(d.code())
	e.GTIN = warehouse.GTIN(d.code())
	e.Qty = d.qty()
	e.UOM = d.code()
	e.Pack = d.qty()
	e.From, e.To, e.Location = warehouse.Location(d.code()), warehouse.Location(d.code()), warehouse.Location(d.code())
	e.Book, e.Expected = d.qty(), d.qty()
	e.ExpectedAt = d.time()
	e.Load, e.Line, e.Order = warehouse.Load(d.code()), warehouse.Line(d.code()), d.code()
	e.Supplier, e.Carrier = warehouse.Supplier(d.code()), warehouse.Carrier(d.code())
	e.Lot, e.Serial = d.code(), string(d.next())
	e.User, e.Device = warehouse.User(d.code()), d.code()
	if cost := d.qty(); cost.Known {
		e.Cost.Micros = int64(cost.Qty)
	}
	e.Cost.Currency = warehouse.Currency(d.code())
	e.Reason = d.code()
	e.Attrs, err = d.attrs()
	if err != nil {
		return fmt.Errorf("event %d: attributes: %w", e.Seq, err)
	}
	return nil
}

func (d *eventDecoder) next() []byte {
	v := d.values[0]
	d.values = d.values[1:]
	return v
}

func (d *eventDecoder) int64() int64 { return int64(binary.BigEndian.Uint64(d.next())) }

func (d *eventDecoder) qty() warehouse.MaybeQty {
	if v := d.next(); v != nil {
		return warehouse.Some(warehouse.Qty(binary.BigEndian.Uint64(v)))
	}
	return warehouse.MaybeQty{}
}

// time reads a timestamp and the offset column after it.
func (d *eventDecoder) time() time.Time {
	micros, offset := d.next(), d.next()
	if micros == nil {
		return time.Time{}
	}
	t := pgTime(int64(binary.BigEndian.Uint64(micros)))
	minutes := int16(binary.BigEndian.Uint16(offset))
	zone, ok := d.zones[minutes]
	if !ok {
		zone = time.FixedZone("", int(minutes)*60)
		d.zones[minutes] = zone
	}
	return t.In(zone)
}

func (d *eventDecoder) code() string { return d.intern(d.next()) }

func (d *eventDecoder) intern(v []byte) string {
	if len(v) == 0 {
		return ""
	}
	if s, ok := d.strings[string(v)]; ok {
		return s
	}
	if len(d.strings) >= maxInterned {
		clear(d.strings)
	}
	s := string(v)
	d.strings[s] = s
	return s
}
