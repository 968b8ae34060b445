/** A window of the local day in minutes since midnight, `start` included, `end` excluded. It may wrap midnight. */
export interface ActiveHours {
  readonly start: number;
  readonly end: number;
}

/** Equal ends make a window of no width: never. */
export function isActive(hours: ActiveHours | null, localMinutes: number): boolean {
  if (hours === null) return true;
  const { start, end } = hours;
  if (start < end) return localMinutes >= start && localMinutes < end;
  return start > end && (localMinutes >= start || localMinutes < end);
}

/** `HH:MM`, up to 24:00, as minutes; undefined when it is not one. */
export function parseMinutes(text: string): number | undefined {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text);
  if (match === null) return undefined;
  const [hours, minutes] = [Number(match[1]), Number(match[2])];
  const total = hours * 60 + minutes;
  return minutes < 60 && total <= 1_440 ? total : undefined;
}
