// What the baseline declares for `av_edr`.
import * as v from 'valibot';
import { int, sha256Hex } from '../wire/schemas/primitives.ts';
import { stabilityBaseline } from './stability.ts';
import { absolutePath, expectedNone, serviceName } from './expected-none.ts';

export const avEdrBaseline = v.strictObject({
  expected: v.literal('declared'),
  unit: serviceName,
  /** Where it is to be judged whether the service stays up. */
  stability: v.optional(stabilityBaseline),
  /** The program that the service has to run. */
  binary: absolutePath,
  /** `none`: not settled yet, so never a pass. */
  binary_sha256: v.union([sha256Hex, v.literal('none')], 'must be 64 lower-case hex digits, or none'),
  /** ClamAV's databases; a product that judges in its cloud has none here. */
  signatures: v.variant('expected', [
    v.strictObject({ expected: v.literal('declared'), database_dir: absolutePath, hours: int(1, 8_760) }),
    expectedNone,
  ]),
  /** A service that scans and ends; started by a timer. */
  scan: v.variant('expected', [
    v.strictObject({ expected: v.literal('declared'), unit: serviceName, hours: int(1, 8_760) }),
    expectedNone,
  ]),
  /** Lines of clamd.conf that keep something from being scanned, as `ExcludePath ^/proc/`. */
  exclusions: v.variant('expected', [
    v.strictObject({
      expected: v.literal('declared'),
      config_file: absolutePath,
      allowed: v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(500))), v.maxLength(256)),
    }),
    expectedNone,
  ]),
});
export type AvEdrBaseline = v.InferOutput<typeof avEdrBaseline>;
