// Whole logs in which lines are missing, doubled, swapped, forged or put into another log.
import { ALERT_BODY, ENTRY_SAMPLE, EPOCH_BODY, FINDING_BODY, statement } from '../samples-entries.ts';
import { NOW } from '../samples-trust.ts';
import { hexDigest, replaceOnce, signedLine, vectorKey } from '../signing.ts';
import {
  bad,
  boundBy,
  device,
  ENTRY_TYPE,
  entry0,
  good,
  last,
  logOf,
  prevOf,
  ROOT_SHA256,
  sign,
  thief,
  whole,
  ZEROS,
  type EvidenceFile,
} from './whole.ts';

const FOUR = whole('a log of four entries', logOf(4));
const ONE = whole('a log of one entry', logOf(1));
const EIGHT = whole('a log of eight entries', logOf(8));
const BACK = whole('a clock that goes back', clockGoesBack());
const KINDS = whole('an entry of every kind', everyKind());

/** What the last entry of FOUR says, with its text changed and well signed. */
function changed(from: string, to: string): { lines: string[] } {
  const text = JSON.stringify(statement('alert', ALERT_BODY, 3, prevOf(FOUR.lines.slice(0, 3))));
  return { lines: last(FOUR.lines, signedLine(ENTRY_TYPE, replaceOnce(text, from, to), device)) };
}

function tampered(line: string, from: string, to: string): string {
  const parsed = JSON.parse(line) as { payload: string };
  const payload = replaceOnce(Buffer.from(parsed.payload, 'base64').toString(), from, to);
  return JSON.stringify({ ...parsed, payload: Buffer.from(payload).toString('base64') });
}

function everyKind(): string[] {
  const lines = [entry0()];
  for (const sample of Object.values(ENTRY_SAMPLE.valid) as { predicate: { kind: string } }[]) {
    if (sample.predicate.kind === 'epoch') continue;
    const { predicate, ...rest } = sample;
    lines.push(sign({ ...rest, predicate: { ...predicate, seq: lines.length, prev: prevOf(lines) } }));
  }
  return lines;
}

function clockGoesBack(): string[] {
  const lines = logOf(2);
  const value = statement(
    'alert',
    { ...ALERT_BODY, observed_from: NOW - 900, observed_to: NOW - 900 },
    2,
    prevOf(lines),
  );
  return [...lines, sign(value)];
}

export function chainVectors(): EvidenceFile {
  const [e0, e1, e2, e3] = FOUR.lines as [string, string, string, string];
  const eight = EIGHT.lines;
  const at3 = (value: object, ...keys: Parameters<typeof sign>[1][]): { lines: string[] } => ({
    lines: last(FOUR.lines, sign(value, ...keys)),
  });
  const alert = (seq: number, prev: string): object => statement('alert', ALERT_BODY, seq, prev);
  const prev3 = prevOf([e0, e1, e2]);
  const cases = [
    good(FOUR),
    good(ONE),
    good(EIGHT),
    good(BACK),
    good(KINDS),
    bad('nothing at all', FOUR, { lines: [] }, 'log_empty', null),
    bad('the first entry is gone', FOUR, { lines: [e1, e2, e3] }, 'entry_seq', 0),
    bad('an entry in the middle is gone', FOUR, { lines: [e0, e1, e3] }, 'entry_seq', 2),
    bad('two entries are swapped', FOUR, { lines: [e0, e2, e1, e3] }, 'entry_seq', 1),
    bad('an entry stands twice', FOUR, { lines: [e0, e1, e1, e2] }, 'entry_seq', 2),
    bad('the log begins twice', FOUR, { lines: [e0, e0] }, 'entry_seq', 1),
    bad('the log stands twice, one after the other', FOUR, { lines: [e0, e1, e2, e3, e0, e1, e2, e3] }, 'entry_seq', 4),
    bad('the lines in reverse', FOUR, { lines: [e3, e2, e1, e0] }, 'entry_seq', 0),
    bad(
      'a payload was changed',
      FOUR,
      { lines: [e0, e1, tampered(e2, '"medium"', '"low"'), e3] },
      'signature_invalid',
      2,
    ),
    bad(
      'a failed result was made a pass',
      FOUR,
      { lines: [e0, tampered(e1, '"result":"fail"', '"result":"pass"'), e2, e3] },
      'signature_invalid',
      1,
    ),
    bad('an entry is signed by somebody else', FOUR, at3(alert(3, prev3), thief), 'signature_invalid', 3),
    bad(
      'an entry is signed by the registrar, who signed the binding',
      FOUR,
      at3(alert(3, prev3), vectorKey('registrar')),
      'signature_invalid',
      3,
    ),
    bad(
      'another keyid beside a good signature',
      FOUR,
      { lines: [e0, e1, e2, e3.replace(device.keyid, thief.keyid)] },
      'signature_invalid',
      3,
    ),
    bad(
      'the signature of another entry',
      FOUR,
      { lines: [e0, e1, e2, withSignatureOf(e3, e2)] },
      'signature_invalid',
      3,
    ),
    bad('two signatures', FOUR, at3(alert(3, prev3), device, thief), 'entry_signature_count', 3),
    bad('prev of another branch', FOUR, at3(alert(3, hexDigest('another branch'))), 'entry_prev', 3),
    bad('prev of zeros', FOUR, at3(alert(3, ZEROS)), 'entry_prev', 3),
    bad(
      'prev is the digest of the line without the byte that a leaf begins with',
      FOUR,
      at3(alert(3, hexDigest(e2))),
      'entry_prev',
      3,
    ),
    bad('prev skips an entry', FOUR, at3(alert(3, prevOf([e0, e1]))), 'entry_prev', 3),
    bad('a seq left out', FOUR, at3(alert(4, prev3)), 'entry_seq', 3),
    bad('a seq used twice, well signed and well chained', FOUR, at3(alert(2, prev3)), 'entry_seq', 3),
    bad('a fork: entry 4 of another branch, well signed', EIGHT, { lines: fork(4) }, 'entry_prev', 5),
    bad('a fork at the last entry but one', EIGHT, { lines: fork(6) }, 'entry_prev', 7),
    bad('another site', FOUR, changed('"site_id":"main-street"', '"site_id":"side-street"'), 'entry_origin', 3),
    bad(
      'another customer',
      FOUR,
      changed('"customer_id":"family-practice"', '"customer_id":"dental-practice"'),
      'entry_origin',
      3,
    ),
    bad(
      'another partner',
      FOUR,
      changed('"partner_id":"northern-it"', '"partner_id":"southern-it"'),
      'entry_origin',
      3,
    ),
    bad(
      'another appliance',
      FOUR,
      changed('"appliance_id":"main-street-1"', '"appliance_id":"main-street-2"'),
      'entry_origin',
      3,
    ),
    bad('another origin', FOUR, changed('main-street-1/1"', 'main-street-1/2"'), 'entry_origin', 3),
    bad('another mode', FOUR, changed('"deployment_mode":"reseller"', '"deployment_mode":"direct"'), 'entry_origin', 3),
    bad('no reseller_id', FOUR, changed('"reseller_id":"northern-it",', ''), 'entry_origin', 3),
    bad(
      'an end before the beginning',
      FOUR,
      changed(`"observed_from":${NOW + 2}`, `"observed_from":${NOW + 9}`),
      'entry_time',
      3,
    ),
    bad('a beginning after the end in entry 0', ONE, { lines: [badTime0()] }, 'entry_time', 0),
    bad(
      'another schema of the predicate',
      FOUR,
      changed('agent/evidence/v1","origin"', 'agent/evidence/v2","origin"'),
      'schema_invalid',
      3,
    ),
    bad(
      'no schema of the predicate',
      FOUR,
      changed('"schema":"compliance-agent/evidence/v1",', ''),
      'schema_invalid',
      3,
    ),
    bad('no predicate', FOUR, changed('"predicate":{', '"predicated":{'), 'schema_invalid', 3),
    bad('a log of another key after the same entry 0', FOUR, { lines: byThief() }, 'signature_invalid', 1),
    bad('entry 0 alone is of another log', FOUR, { lines: [otherBinding(), e1, e2, e3] }, 'entry_origin', 1),
    bad(
      'a prev of entry 0 that is not zeros',
      ONE,
      { lines: [sign(statement('epoch', EPOCH_BODY, 0, hexDigest('')))] },
      'entry_prev',
      0,
    ),
    bad(
      'entry 0 says that it is entry 1',
      ONE,
      { lines: [sign(statement('epoch', EPOCH_BODY, 1, ZEROS))] },
      'entry_seq',
      0,
    ),
    bad(
      'the finding comes from before the log',
      FOUR,
      { lines: [e0, sign(statement('finding', FINDING_BODY, 1, ZEROS)), e2, e3] },
      'entry_prev',
      1,
    ),
  ];
  return { root_sha256: ROOT_SHA256, cases };

  function fork(at: number): string[] {
    const other = logOf(8, 'told otherwise', at);
    return eight.map((line, i) => (i === at ? other[at]! : line));
  }
}

function withSignatureOf(line: string, other: string): string {
  const [mine, theirs] = [line, other].map((text) => JSON.parse(text) as { signatures: unknown });
  return JSON.stringify({ ...mine, signatures: theirs!.signatures });
}

function byThief(): string[] {
  const lines = [FOUR.lines[0]!];
  while (lines.length < 4) lines.push(sign(statement('alert', ALERT_BODY, lines.length, prevOf(lines)), thief));
  return lines;
}

function badTime0(): string {
  return sign(statement('epoch', { ...EPOCH_BODY, observed_from: NOW + 50 }, 0, ZEROS));
}

/** A true beginning of the log of the same device at another site; the lines after it are those of FOUR. */
function otherBinding(): string {
  return entry0({ ...boundBy(vectorKey('registrar'), { site_id: 'side-street' }), site_id: 'side-street' });
}
