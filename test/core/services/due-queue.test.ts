import { expect } from 'chai';
import fc from 'fast-check';
import { DueQueue } from '../../../core/services/due-queue.js';

describe('DueQueue', () => {
  it('behaves like a list that is sorted at each look', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ set: fc.nat({ max: 15 }), at: fc.nat({ max: 50 }) }),
        fc.record({ delete: fc.nat({ max: 15 }) }),
      ),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const entries = Array.from({ length: 16 }, () => ({ dueAt: 0, heapIndex: -1 }));
        const queue = new DueQueue<(typeof entries)[number]>();
        const model = new Map<number, number>();
        for (const step of list) {
          const index = 'set' in step ? step.set : step.delete;
          const entry = entries[index];
          if (entry === undefined) throw new Error('no entry');
          if ('set' in step) {
            queue.set(entry, step.at);
            model.set(index, step.at);
          } else {
            queue.delete(entry);
            model.delete(index);
          }
          expect(queue.size).to.equal(model.size);
          expect(queue.first?.dueAt).to.equal(model.size === 0 ? undefined : Math.min(...model.values()));
        }
        const drained: number[] = [];
        for (let first = queue.first; first; first = queue.first) {
          drained.push(first.dueAt);
          queue.delete(first);
        }
        expect(drained).to.deep.equal([...model.values()].sort((a, b) => a - b));
      }),
    );
  });
});
