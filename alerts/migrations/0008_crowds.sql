-- A hub that sends more alarms than a home can need is a finding of its own, once an hour.
alter table findings drop constraint findings_rule_check;
alter table findings add constraint findings_rule_check check (rule in (
    'no-movement', 'not-back', 'not-up', 'hub-silent', 'device-silent', 'hub-restored', 'device-restored', 'hub-crowds'));
