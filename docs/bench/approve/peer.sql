begin;
insert into t1 (body) values (repeat('x', 200));
insert into t2 (body) values (repeat('x', 200));
insert into t3 (body) values (repeat('x', 200));
insert into t4 (body) values (repeat('x', 200));
insert into t5 (body) values (repeat('x', 200));
insert into t6 (body) values (repeat('x', 200));
insert into t7 (body) values (repeat('x', 200));
commit;
