// The identity room's own name for the fingerprint that its console shows; Central Command computes the same one.
export { fingerprint } from '../wire/fingerprint.ts';
