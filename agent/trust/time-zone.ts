// Whether this system's zone database (ICU, inside Node) knows a time zone.

/** True for a name that Intl knows, such as `Europe/Berlin`. Fixed offsets (`+02:00`) are no site's zone and refused. */
export function isTimeZone(zone: string): boolean {
  if (!/^[A-Za-z]/.test(zone)) return false;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
