-- The hashes that the tree gains with an entry stand beside the entry's place, the leaf
-- first: one row where there were three. Entry n completes a subtree for each 1 at the
-- end of n, and the hashes before it are 2 n less the 1s of n. Places are written anew, in
-- their order, in which the check reads them.

create table placed as
select l.n, l.stream, l.seq, (
    select string_agg(h.hash, '' order by h.n)
    from audit_node h
    where h.n >= 2 * l.n - bit_count(l.n::bit(64)) and h.n < 2 * (l.n + 1) - bit_count((l.n + 1)::bit(64))) as hashes
from audit_leaf l;

do $$
declare
    lacks  bigint := (select min(n) from placed where octet_length(hashes) is distinct from 32 * bit_count((n # (n + 1))::bit(64)));
    others bigint := (select count(*) from audit_node) - (select coalesce(sum(octet_length(hashes)) / 32, 0) from placed);
begin
    if lacks is not null then
        raise exception 'the audit log was tampered with: hashes of the tree are missing at index %', lacks
            using hint = 'Nothing was changed. Run "tallyman audit verify" of the version before this one, and find out who had access.';
    elsif others <> 0 then
        raise exception 'the audit log was tampered with: % hashes of the tree belong to no entry, entries were removed', others
            using hint = 'Nothing was changed. Run "tallyman audit verify" of the version before this one, and find out who had access.';
    end if;
end
$$;

truncate audit_leaf;
alter table audit_leaf
    add column hashes bytea not null,
    add constraint audit_leaf_hashes_check check (octet_length(hashes) = 32 * bit_count((n # (n + 1))::bit(64)));
comment on column audit_leaf.hashes is 'stored hashes of the tree from tlog.StoredHashCount(n) on that are complete with this entry';
insert into audit_leaf (n, stream, seq, hashes) select n, stream, seq, hashes from placed order by n;

drop table placed, audit_node;
