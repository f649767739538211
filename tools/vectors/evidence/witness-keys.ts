// Whole logs whose witness has another key by now: what the old one cosigned counts in its time, or not at all where it was
// compromised. Then only what comes from outside vouches for the entries.
import { ORIGIN } from '../samples-enrolment.ts';
import { NOW, ROOT } from '../samples-trust.ts';
import { vectorKey } from '../signing.ts';
import { checkpoint } from './checkpoints.ts';
import { bad, good, logOf, rootLine, ROOT_LINE, ROOT_SHA256, rootOf, whole, type EvidenceFile } from './whole.ts';

const old = vectorKey('witness');
const fresh = vectorKey('witness 2');
const lines = logOf(6);
/** What the thief of the device's key and of the witness's key makes of the log. */
const rewritten = logOf(6, 'told otherwise', 3);

/** Root 4: the witness has a new key, and the old one is among the past ones. */
function rooted(status: 'retired' | 'compromised', validUntil = NOW + 60): readonly string[] {
  const keys = ROOT.keys.map((key) =>
    key.keyid === old.keyid ? { ...key, keyid: fresh.keyid, spki: fresh.spki } : key,
  );
  const { keyid, spki } = old;
  const past = { role: 'witness', keyid, spki, valid_from: NOW - 86_400, valid_until: validUntil, status };
  const next = {
    ...ROOT,
    version: 4,
    keys,
    roles: { ...ROOT.roles, witness: { threshold: 1, keyids: [fresh.keyid] } },
    past_keys: [...ROOT.past_keys, past],
  };
  return [ROOT_LINE, rootLine(next, 'root-a', 'root-b')];
}

const anchor = (size: number, of: readonly string[] = lines, origin = ORIGIN): string =>
  `<134>1 2026-06-01T10:00:00Z gateway agent - - - checkpoint ${origin} ${size} ${rootOf(of.slice(0, size))}`;

const compromised = { roots: rooted('compromised'), checkpoints: [checkpoint(6)] };
const RETIRED = whole('cosigned by a key of the witness that is retired since', lines, {
  roots: rooted('retired'),
  checkpoints: [checkpoint(6)],
});
const LATE = whole('cosigned by a retired key after its time', lines, {
  roots: rooted('retired', NOW - 1),
  checkpoints: [checkpoint(6)],
});
const ALONE = whole('cosigned by a compromised key of the witness, without an anchor', lines, compromised);
const ANCHORED = whole('cosigned by a compromised key of the witness, with an anchor', lines, {
  ...compromised,
  anchors: [anchor(6)],
});
const PARTLY = whole('cosigned by a compromised key of the witness, with an anchor for four of six entries', lines, {
  ...compromised,
  anchors: ['a line about something else', anchor(4)],
});
const AGAIN = whole('cosigned by a compromised key, and later by the new key of the witness', lines, {
  ...compromised,
  checkpoints: [checkpoint(4), checkpoint(6, { witness: fresh })],
});
const REWRITTEN = whole(
  'written anew with the stolen keys of the device and the witness: it holds, and nobody vouches',
  rewritten,
  {
    ...compromised,
    checkpoints: [checkpoint(6, { of: rewritten })],
    anchors: [anchor(3)],
  },
);

export function witnessKeyVectors(): EvidenceFile {
  const cases = [
    good(RETIRED, { witnessed: 6, anchored: 0 }),
    good(LATE, { witnessed: 0, anchored: 0 }),
    good(ALONE, { witnessed: 0, anchored: 0 }),
    good(ANCHORED, { witnessed: 0, anchored: 6 }),
    good(PARTLY, { witnessed: 0, anchored: 4 }),
    good(AGAIN, { witnessed: 6, anchored: 0 }),
    good(REWRITTEN, { witnessed: 0, anchored: 3 }),
    bad(
      'an anchor from before the theft finds what was written anew',
      REWRITTEN,
      { anchors: [anchor(6)] },
      'log_root_mismatch',
      5,
    ),
    bad('the anchor is of another root', ANCHORED, { anchors: [anchor(6, rewritten)] }, 'log_root_mismatch', 5),
    bad(
      'the anchor is of more entries than there are',
      ANCHORED,
      { anchors: [anchor(8, logOf(8))] },
      'log_truncated',
      6,
    ),
    bad(
      'the anchor is of another log',
      ANCHORED,
      { anchors: [anchor(6, lines, ORIGIN.replace(/1$/, '2'))] },
      'anchor_invalid',
      null,
    ),
    bad('the anchors say nothing', ANCHORED, { anchors: ['checkpoint of nothing'] }, 'anchor_invalid', null),
    bad(
      'a cosignature in the name of the witness by its new key, over other entries',
      AGAIN,
      { checkpoints: [checkpoint(4), checkpoint(6, { witness: fresh, of: rewritten })] },
      'log_root_mismatch',
      5,
    ),
  ];
  return { root_sha256: ROOT_SHA256, cases };
}
