import { describe, expect, it } from 'vitest';
import { createFollowers } from '../../src/server/followers.ts';

const heard = (followers: ReturnType<typeof createFollowers<string>>, sessionKey: string): string[] =>
  [...followers.of(sessionKey)].toSorted();

describe('who hears what is said in a session', () => {
  it('is everybody who follows it, and everybody who follows none', () => {
    const followers = createFollowers<string>(10);
    for (const client of ['a', 'b', 'listener']) followers.add(client);
    followers.follow('a', 'one');
    followers.follow('b', 'two');
    expect(heard(followers, 'one')).toEqual(['a', 'listener']);
    expect(heard(followers, 'two')).toEqual(['b', 'listener']);
    expect(heard(followers, 'three')).toEqual(['listener']);
  });

  it('is no more who has left, or touched too many others since', () => {
    const followers = createFollowers<string>(2);
    followers.add('a');
    followers.add('b');
    for (const sessionKey of ['one', 'two', 'one', 'three']) followers.follow('a', sessionKey);
    followers.follow('b', 'one');
    expect(heard(followers, 'two')).toEqual([]);
    expect(heard(followers, 'one')).toEqual(['a', 'b']);
    followers.delete('a');
    expect(heard(followers, 'one')).toEqual(['b']);
    expect(heard(followers, 'three')).toEqual([]);
  });

  it('is nobody who asks for it after having left', () => {
    const followers = createFollowers<string>(2);
    followers.add('a');
    followers.delete('a');
    followers.follow('a', 'one');
    expect(heard(followers, 'one')).toEqual([]);
  });
});
