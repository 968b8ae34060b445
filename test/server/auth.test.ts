import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { budgetKey, hostName, isLoopback, isLoopbackName, plainAddress } from '../../src/server/address.ts';
import { bearer, createAuthenticator } from '../../src/server/auth.ts';
import { createAuthLimiter } from '../../src/server/auth-limiter.ts';
import { SERVER_LIMITS } from '../../src/server/limits.ts';
import { shown } from '../../src/server/request-guard.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';

function limiterOf(limits = {}) {
  const clock = createSimulatedClock();
  return { clock, limiter: createAuthLimiter(clock, { ...SERVER_LIMITS, ...limits }) };
}

describe('guessing from beyond this machine', () => {
  it('ends after ten failures a minute, for five minutes', () => {
    const { clock, limiter } = limiterOf();
    for (let count = 0; count < 9; count += 1) expect(limiter.failed('10.0.0.1')).toBe(0);
    expect(limiter.blockedMs('10.0.0.1')).toBe(0);
    limiter.failed('10.0.0.1');
    expect(limiter.blockedMs('10.0.0.1')).toBe(300_000);
    expect(limiter.blockedMs('10.0.0.2')).toBe(0);
    clock.advance(299_999);
    expect(limiter.blockedMs('10.0.0.1')).toBe(1);
    clock.advance(1);
    expect(limiter.blockedMs('10.0.0.1')).toBe(0);
  });

  it('is forgiven when the failures are far apart', () => {
    const { clock, limiter } = limiterOf();
    for (let count = 0; count < 50; count += 1) {
      limiter.failed('10.0.0.1');
      clock.advance(7_000);
    }
    expect(limiter.blockedMs('10.0.0.1')).toBe(0);
  });

  it('gains nothing by another spelling of the address', () => {
    const { limiter } = limiterOf();
    const spellings = ['10.0.0.1', '::ffff:10.0.0.1', '::FFFF:10.0.0.1'];
    for (let count = 0; count < 10; count += 1) limiter.failed(spellings[count % 3]!);
    for (const spelling of spellings) expect(limiter.blockedMs(spelling)).toBeGreaterThan(0);
    const { limiter: six } = limiterOf();
    for (let count = 0; count < 10; count += 1) six.failed(`2001:db8:0:1::${count}`);
    expect(six.blockedMs('2001:db8:0:1:ffff::1')).toBeGreaterThan(0);
    expect(six.blockedMs('2001:db8:0:2::1')).toBe(0);
  });

  it('keeps the table bounded: newcomers beyond it share one budget', () => {
    const { clock, limiter } = limiterOf({ authAddresses: 100 });
    for (let count = 0; count < 1_000; count += 1) limiter.failed(`10.1.${count >> 8}.${count & 255}`);
    expect(limiter.size).toBe(100);
    expect(limiter.blockedMs('10.9.9.9')).toBeGreaterThan(0);
    expect(limiter.blockedMs('127.0.0.1')).toBe(0);
    clock.advance(300_001);
    limiter.failed('10.9.9.9');
    expect(limiter.size).toBe(1);
  });
});

describe('guessing on this machine', () => {
  it('grows slower and slower, and locks nobody out', () => {
    const { clock, limiter } = limiterOf();
    const delays = Array.from({ length: 8 }, () => limiter.failed('127.0.0.1'));
    expect(delays).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
    expect(limiter.blockedMs('::1')).toBe(0);
    clock.advance(60_001);
    expect(limiter.failed('::ffff:127.0.0.1')).toBe(250);
  });

  it('is refused unread while too many answers are held back, whoever still waits for them', () => {
    const { clock, limiter } = limiterOf({ authHeld: 3 });
    for (let count = 0; count < 3; count += 1) limiter.failed(`127.0.0.${count + 1}`);
    expect(limiter.blockedMs('127.0.0.9')).toBe(5_000);
    clock.advance(250);
    expect(limiter.blockedMs('127.0.0.9')).toBe(0);
  });
});

describe('addresses', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.255.0.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['128.0.0.1', false],
    ['127.evil.example', false],
  ])('%s is loopback: %s', (address, expected) => {
    expect(isLoopback(address)).toBe(expected);
  });

  it('give one budget per host', () => {
    expect(budgetKey('2001:db8::1')).toBe('2001:db8:0:0::/64');
    expect(budgetKey('2001:0db8:0000:0000:ffff:1:2:3')).toBe('2001:db8:0:0::/64');
    expect(budgetKey('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
    expect(plainAddress(undefined)).toBe('unknown');
  });

  it('host names are read without their port, or not at all', () => {
    expect(
      ['localhost:1', '[::1]:5', 'A.Example.', '1.2.3.4', 'a b', 'a@b', '', 'x:y'].map(hostName),
    ).toEqual(['localhost', '::1', 'a.example', '1.2.3.4', undefined, undefined, undefined, undefined]);
    expect(isLoopbackName('x.localhost')).toBe(true);
    expect(isLoopbackName('notlocalhost')).toBe(false);
  });
});

describe('the authenticator', () => {
  it('takes exactly its token and no other text', () => {
    const token = 'right';
    const { check } = createAuthenticator({ mode: 'token', token }, '127.0.0.1');
    expect(check(token, '10.0.0.1')).toEqual({ ok: true });
    assert(property(string(), (guess) => guess === token || !check(guess, '127.0.0.1').ok));
  });

  it('without a token lets in this machine only, wherever it listens', () => {
    const { check } = createAuthenticator({ mode: 'none' }, '127.0.0.1');
    expect(check(undefined, '127.0.0.1').ok).toBe(true);
    expect(check(undefined, '10.0.0.1').ok).toBe(false);
  });

  it('reads a bearer header and nothing else', () => {
    expect(['Bearer abc', 'bearer  abc ', 'Basic abc', 'Bearer a b', undefined].map(bearer)).toEqual([
      'abc',
      'abc',
      undefined,
      undefined,
      undefined,
    ]);
  });
});

it('text from outside is shown cut and without control characters', () => {
  expect(shown('a\nb\u001b[31mc\u2028d')).toBe('a?b?[31mc?d');
  expect(shown('x'.repeat(1_000))).toHaveLength(256);
});
