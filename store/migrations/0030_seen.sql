-- A count, or the receipts of a load, show that people carried out a step that
-- asked for it. These find them, and the operations that wait for people.

create index event_count_idx on event (site, sku, occurred_at) where type = 'count';
create index event_load_idx on event (site, load, line) where type in ('asn', 'receipt');
create index execution_by_hand_idx on execution (step_id) where state = 'sending' and target = 'manual';
