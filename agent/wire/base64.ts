// Standard base64 (RFC 4648 section 4) in its one canonical form.
import { AgentError } from '../errors/agent-error.ts';

/**
 * Decodes standard base64 with padding. Any other spelling of the same bytes (missing padding, URL alphabet, line feeds,
 * stray bits in the last digit) is refused.
 *
 * @throws base64_invalid
 */
export function decodeBase64(text: string, place?: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  // Buffer.from ignores what it does not know, so only the way back proves that nothing was ignored.
  if (bytes.toString('base64') !== text) {
    throw new AgentError(
      'base64_invalid',
      'the text is not canonical padded base64',
      place === undefined ? {} : { place },
    );
  }
  return bytes;
}
