// What the baseline declares for `patching`.
import * as v from 'valibot';
import { storePath, systemMarks } from '../wire/schemas/declared-system.ts';
import { int } from '../wire/schemas/primitives.ts';

export const patchingBaseline = v.strictObject({
  expected: v.literal('declared'),
  /** A restart may be pending for so long. */
  reboot_pending_hours: int(0, 8_760),
  /** Each kind of system that may be found here; another one is never a pass. */
  nixos: v.optional(
    v.strictObject({
      /** Where `/run/current-system` has to point. `none`: not settled yet, so never a pass. */
      closure: v.union([storePath, v.literal('none')], 'must be a path of the Nix store, or none'),
      /** The running generation may be so old. */
      generation_days: int(1, 3_650),
      /** What an update by a standing grant switches to, beside `closure`. Absent: only an order switches systems. */
      update: v.optional(v.strictObject(systemMarks)),
    }),
  ),
  apt: v.optional(
    v.strictObject({
      /** So many pending security updates are accepted. */
      security_updates: int(0, 10_000),
      /** The lists of packages may be so old. */
      lists_hours: int(1, 8_760),
    }),
  ),
});
export type PatchingBaseline = v.InferOutput<typeof patchingBaseline>;
