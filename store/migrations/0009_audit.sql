-- What happened to every step, in a form that shows tampering. Rows are only
-- ever added; the sequencer gives each leaf its place in one Merkle tree.

create table audit_entry (
    stream text        collate "C" not null check (stream <> ''),
    seq    int         not null check (seq > 0),
    prev   bytea       not null check (octet_length(prev) = 32),
    body   bytea       not null check (octet_length(body) > 0),
    leaf   bytea       not null generated always as (sha256('\x00'::bytea || body)) stored,
    at     timestamptz not null,
    primary key (stream, seq)
);

comment on column audit_entry.stream is 'a step''s id, or what else has a history: "policy", "person", "target", "switch"';
comment on column audit_entry.prev is 'leaf of the entry before in this stream; zeros for the first';
comment on column audit_entry.body is 'canonical JSON, prev included';
comment on column audit_entry.leaf is 'RFC 6962 leaf hash';

create function check_audit_entry() returns trigger language plpgsql as $$
declare
    last_seq  int;
    last_leaf bytea;
begin
    select seq, leaf into last_seq, last_leaf
    from audit_entry
    where stream = new.stream
    order by seq desc
    limit 1;
    if new.seq <> coalesce(last_seq, 0) + 1 or new.prev <> coalesce(last_leaf, decode(repeat('00', 32), 'hex')) then
        raise exception 'entry % of % does not follow on the one before', new.seq, new.stream
            using errcode = 'integrity_constraint_violation', constraint = 'audit_entry_chain';
    end if;
    insert into audit_unsequenced (stream, seq) values (new.stream, new.seq);
    return new;
end
$$;

-- The only table of the audit that loses rows: what has no place in the tree yet.
create table audit_unsequenced (
    id     bigint generated always as identity primary key,
    stream text   collate "C" not null,
    seq    int    not null
);

create trigger audit_entry_check before insert on audit_entry for each row execute function check_audit_entry();
create trigger audit_entry_change before update or delete on audit_entry for each row execute function refuse_change();

create table audit_leaf (
    n      bigint primary key check (n >= 0),
    stream text   collate "C" not null,
    seq    int    not null,
    unique (stream, seq),
    foreign key (stream, seq) references audit_entry
);

create table audit_node (
    n    bigint primary key check (n >= 0),
    hash bytea  not null check (octet_length(hash) = 32)
);

comment on table audit_node is 'stored hashes of the tree, by tlog.StoredHashIndex';

create table audit_checkpoint (
    size       bigint      primary key check (size > 0),
    root       bytea       not null check (octet_length(root) = 32),
    note       bytea       not null,
    created_at timestamptz not null default clock_timestamp(),
    anchored   jsonb       not null default '{}'
);

create trigger audit_leaf_change before update or delete on audit_leaf for each row execute function refuse_change();
create trigger audit_node_change before update or delete on audit_node for each row execute function refuse_change();

-- Every change of a step has exactly one entry. What a ranking proposes, and
-- takes back before anybody looked, is in the ranking's one entry instead.
create function check_step_audited() returns trigger language plpgsql as $$
declare
    silent boolean := new.audited = 0 and new.touched_at is null and new.state in ('pending', 'blocked', 'superseded')
        and exists (select from recommendation where id = new.recommendation_id and ranking_id is not null);
    before int := case tg_op when 'UPDATE' then old.audited else 0 end;
begin
    if not silent and (new.audited <> before + 1 or not exists (
        select from audit_entry where stream = new.id and seq = new.audited))
    then
        raise exception 'version % of step % has no audit entry', new.version, new.id
            using errcode = 'integrity_constraint_violation', constraint = 'step_audited';
    end if;
    return null;
end
$$;

create constraint trigger step_audited after insert or update on step
deferrable initially deferred for each row execute function check_step_audited();
