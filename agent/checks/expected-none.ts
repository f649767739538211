// How a baseline says that nothing is expected.
import * as v from 'valibot';
import { text } from '../wire/schemas/primitives.ts';

/** It does not apply on such systems, and the baseline says why. */
export const expectedNone = v.strictObject({ expected: v.literal('none'), reason: text(200) });

/** An absolute path without `..`, on the machine that is judged. */
export const absolutePath = v.pipe(
  v.string(),
  v.regex(/^\/(?!.*(?:^|\/)\.\.(?:\/|$))[^\0]{0,1000}$/, 'must be an absolute path without ..'),
);

/** systemd.unit(5): the name of a service. */
export const serviceName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9@:_.\\-]{1,240}\.service$/, 'must be a service'));
