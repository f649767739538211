// Whole logs with receipts: what Central Command confirmed must be there, and be the same.
import { ORIGIN } from '../samples-enrolment.ts';
import { NOW } from '../samples-trust.ts';
import { hexDigest, vectorKey } from '../signing.ts';
import { bad, good, logOf, receiptFor, ROOT_SHA256, whole, type EvidenceFile } from './whole.ts';

const lines = logOf(6);
const stored = receiptFor(lines);
const WHOLE = whole('six entries under a receipt', lines, { receipts: [stored] });
const MORE = whole('two entries after the receipt', lines, { receipts: [receiptFor(lines, 4)] });
const EACH = whole('a receipt for every entry', lines, { receipts: lines.map((_, i) => receiptFor(lines, i + 1)) });
const RETIRED = whole('a receipt by a retired key, while it was valid', lines, {
  receipts: [receiptFor(lines, 6, { stored_at: NOW - 2 * 86_400 }, vectorKey('old receipt'))],
});
const NOTHING = whole('a receipt for nothing yet', lines, { receipts: [receiptFor(lines, 0)] });

export function receiptVectors(): EvidenceFile {
  const rewritten = logOf(6, 'told otherwise', 3);
  const replaced = (name: string, receipt: string, code: Parameters<typeof bad>[3], seq: number | null = null) =>
    bad(name, WHOLE, { receipts: [receipt] }, code, seq);
  const by = (key: string, change: object = {}): string => receiptFor(lines, 6, change, vectorKey(key));
  const cases = [
    good(WHOLE),
    good(MORE),
    good(EACH),
    good(RETIRED),
    good(NOTHING),
    bad('the last entry is cut off', WHOLE, { lines: lines.slice(0, 5) }, 'log_truncated', 5),
    bad('half of the log is cut off', WHOLE, { lines: lines.slice(0, 3) }, 'log_truncated', 3),
    bad(
      'all but the first entry is cut off, with a receipt for each',
      EACH,
      { lines: lines.slice(0, 1) },
      'log_truncated',
      1,
    ),
    bad(
      'the end was written anew with the stolen key, as long as it was',
      WHOLE,
      { lines: rewritten },
      'log_root_mismatch',
      5,
    ),
    bad(
      'the end was written anew, and a receipt stands in its middle',
      MORE,
      { lines: rewritten },
      'log_root_mismatch',
      3,
    ),
    bad('the end was written anew, with a receipt for each entry', EACH, { lines: rewritten }, 'log_root_mismatch', 3),
    bad(
      'the end was written anew and made longer',
      WHOLE,
      { lines: logOf(9, 'told otherwise', 3) },
      'log_root_mismatch',
      5,
    ),
    replaced('a receipt for more than there is', receiptFor(lines, 6, { size: 7 }), 'log_truncated', 6),
    replaced(
      'a receipt for another root',
      receiptFor(lines, 6, { root: hexDigest('another') }),
      'log_root_mismatch',
      5,
    ),
    replaced('a receipt for the root of fewer entries', receiptFor(lines, 5, { size: 6 }), 'log_root_mismatch', 5),
    replaced(
      'a receipt for another log',
      receiptFor(lines, 6, { origin: ORIGIN.replace(/1$/, '2') }),
      'receipt_mismatch',
      0,
    ),
    replaced('a receipt by the order key', by('order'), 'signature_invalid'),
    replaced('a receipt by the device', by('device'), 'signature_invalid'),
    replaced('a receipt by a stranger', by('thief'), 'signature_invalid'),
    replaced(
      'a receipt by a retired key, after it was retired',
      by('old receipt', { stored_at: NOW }),
      'signature_invalid',
    ),
    replaced(
      'a receipt whose size was changed',
      stored.replace(payloadOf(stored), changedSize(stored)),
      'signature_invalid',
    ),
    replaced(
      'a receipt of another schema',
      receiptFor(lines, 6, { schema: 'compliance-agent/receipt/v2' }),
      'schema_invalid',
    ),
    replaced('an entry in place of a receipt', lines[1]!, 'payload_type_mismatch'),
    replaced('a receipt with a space in it', stored.replace('"payloadType":', '"payloadType": '), 'json_not_strict'),
    bad('one of several receipts is for another root', EACH, { receipts: oneWrong() }, 'log_root_mismatch', 3),
  ];
  return { root_sha256: ROOT_SHA256, cases };
}

function oneWrong(): string[] {
  return EACH.receipts.map((receipt, i) => (i === 3 ? receiptFor(lines, 4, { root: hexDigest('another') }) : receipt));
}

function payloadOf(line: string): string {
  return (JSON.parse(line) as { payload: string }).payload;
}

function changedSize(line: string): string {
  return Buffer.from(Buffer.from(payloadOf(line), 'base64').toString().replace('"size":6', '"size":5')).toString(
    'base64',
  );
}
