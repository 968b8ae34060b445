import { describe, expect, it } from 'vitest';
import { isActive, parseMinutes } from '../../src/machines/active-hours.ts';
import { classifyHeartbeatReply } from '../../src/machines/heartbeat-reply.ts';
import { nextSlot } from '../../src/machines/heartbeat-slot.ts';

describe('the reply of a heartbeat', () => {
  it.each([
    ['', 'ok-empty'],
    ['  \n ', 'ok-empty'],
    ['HEARTBEAT_OK', 'ok-token'],
    ['**HEARTBEAT_OK**', 'ok-token'],
    ['<b>HEARTBEAT_OK</b>', 'ok-token'],
    ['HEARTBEAT_OK.', 'ok-token'],
    ['HEARTBEAT_OK!!!!', 'ok-token'],
    ['All is quiet. HEARTBEAT_OK', 'ok-token'],
    ['All is quiet. HEARTBEAT_OK :-)', 'ok-token'],
    ['HEARTBEAT_OKAY, but look', 'sent'],
    ['I say HEARTBEAT_OK in the middle of it', 'sent'],
    ['The disk is nearly full.', 'sent'],
    [`HEARTBEAT_OK ${'x'.repeat(300)}`, 'ok-token'],
    [`HEARTBEAT_OK ${'x'.repeat(301)}`, 'sent'],
  ] as const)('%j is %s', (text, status) => {
    expect(classifyHeartbeatReply(text, 300)).toBe(status);
  });

  it('is for people as soon as it is longer than the allowance beside the token', () => {
    expect(classifyHeartbeatReply('HEARTBEAT_OK yes', 0)).toBe('sent');
    expect(classifyHeartbeatReply('HEARTBEAT_OK', 0)).toBe('ok-token');
  });
});

describe('active hours', () => {
  it('include their start and exclude their end, and may wrap midnight', () => {
    const day = { start: 480, end: 1_320 };
    expect([479, 480, 1_319, 1_320].map((minutes) => isActive(day, minutes))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    const night = { start: 1_320, end: 480 };
    expect([479, 480, 1_319, 1_320].map((minutes) => isActive(night, minutes))).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  it('are always without a window and never with one of no width', () => {
    expect(isActive(null, 0)).toBe(true);
    expect(isActive({ start: 60, end: 60 }, 60)).toBe(false);
  });

  it('are read from HH:MM up to 24:00, and from nothing else', () => {
    expect(['08:00', '8:30', '24:00'].map(parseMinutes)).toEqual([480, 510, 1_440]);
    expect(['24:01', '8', '08:60', 'noon', ''].map(parseMinutes)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('the next slot', () => {
  it('keeps the rhythm, is always ahead, and never more than one interval ahead', () => {
    expect(nextSlot(1_000, 500, 999)).toBe(1_000);
    expect(nextSlot(1_000, 500, 1_000)).toBe(1_500);
    expect(nextSlot(1_000, 500, 9_999)).toBe(10_000);
  });
});
