import { expect } from 'chai';
import { KeptState } from '../../core/index.js';

describe('KeptState', () => {
  let kept: KeptState;
  let dropped: string[];
  const drop = (value: { name: string }) => {
    dropped.push(value.name);
  };

  beforeEach(() => {
    kept = new KeptState();
    dropped = [];
  });

  it('makes a value once, and gives the same one to the next generation', () => {
    kept.begin(1);
    const value = kept.keep('a', () => ({ name: 'a' }));
    kept.begin(2);
    expect(kept.keep('a', () => ({ name: 'another' }))).to.equal(value);
    expect(kept.keep('b', () => ({ name: 'b' }))).not.to.equal(value);
  });

  it('keeps undefined and null as values', () => {
    expect(kept.keep<undefined | string>('a', () => undefined)).to.equal(undefined);
    expect(kept.keep<undefined | string>('a', () => 'made again')).to.equal(undefined);
  });

  it('drops what the newest generation did not ask for', () => {
    kept.begin(1);
    kept.keep('old', () => ({ name: 'old' }), drop);
    kept.keep('both', () => ({ name: 'both' }), drop);
    kept.begin(2);
    kept.keep('both', () => ({ name: 'made again' }), drop);
    kept.keep('new', () => ({ name: 'new' }), drop);
    kept.sweep(2);
    expect(dropped).to.deep.equal(['old']);
    expect(kept.keep('old', () => ({ name: 'fresh' }))).to.deep.equal({ name: 'fresh' });
  });

  it('drops nothing for a generation that was not the last to ask', () => {
    kept.begin(1);
    kept.keep('a', () => ({ name: 'a' }), drop);
    kept.begin(2);
    kept.keep('a', () => ({ name: 'a' }), drop);
    kept.sweep(2);
    kept.sweep(1);
    expect(dropped).to.deep.equal([]);
  });

  it('disposes of the value that was kept, once', () => {
    kept.begin(1);
    kept.keep('a', () => ({ name: 'first' }), drop);
    kept.keep('a', () => ({ name: 'second' }), drop);
    kept.clear();
    kept.clear();
    expect(dropped).to.deep.equal(['first']);
  });

  it('keeps nothing of a value that could not be made', () => {
    const fail = () => {
      throw new Error('no');
    };
    expect(() => kept.keep('a', fail)).to.throw('no');
    expect(kept.keep('a', () => 'made')).to.equal('made');
  });

  it('disposes of everything although something fails on the way, and says so', () => {
    const failing = (value: { name: string }) => {
      drop(value);
      throw new Error(`${value.name} is stuck`);
    };
    for (const name of ['a', 'b']) kept.keep(name, () => ({ name }), failing);
    kept.keep('c', () => ({ name: 'c' }), drop);
    expect(() => kept.clear())
      .to.throw(AggregateError)
      .with.property('errors')
      .that.has.length(2);
    expect(dropped).to.deep.equal(['a', 'b', 'c']);
    kept.clear();
    expect(dropped).to.have.length(3);
  });
});
