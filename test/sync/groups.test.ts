// The groups that the package has, by their calls alone: arguments, several ranks in one thread, and processes in this one.
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import {
  GroupError,
  endRank,
  gather,
  gatherAsync,
  processGroup,
  processHub,
  sharedGroup,
  singleGroup,
  watchWorker,
  workerGroup,
  type Group,
  type ProcessHub,
  type SharedGroup,
} from "../../src/sync.js";
import { TYPE, VALUE, expectRejected, range, type } from "../support/rejected.js";

const one = (value: number, length = 1): Float64Array => new Float64Array(length).fill(value);

describe("a group of one", () => {
  test("gathers copies", async () => {
    const group = singleGroup();
    const values = Float64Array.of(1, 2);
    expect(group.allGather(values)).toEqual(values);
    expect(group.allGather(values)).not.toBe(values);
    expect(await group.allGatherAsync!(values)).toEqual(values);
    expect(await group.split!([0])).toMatchObject({ rank: 0, size: 1 });
    expectRejected(() => group.split!([1]), [], range(VALUE, '"ranks[0]" expected a rank below 1, got 1'));
    expect([gather(group, values), await gatherAsync(group, values)]).toEqual([[values], [values]]);
  });

  test("a gather of something else is refused", () => {
    const wrong = (values: unknown, options?: unknown) => () =>
      gather(singleGroup(), values as Float64Array, options as object);
    expectRejected(wrong([1]), [], type(TYPE, '"values" expected a Float64Array, got an Array'));
    expectRejected(wrong(one(1), 5), [], type(TYPE, '"options" expected an object, got 5'));
    expectRejected(wrong(one(1), { name: 5 }), [], type(TYPE, '"name" expected a string, got 5'));
    expectRejected(
      wrong(one(1), { timeout: -1 }),
      [],
      range(VALUE, '"timeout" expected milliseconds greater than 0, got -1'),
    );
  });
});

describe("threads, with all ranks in one", () => {
  const join = (
    size: number,
    capacity = 100,
    timeout = 2000,
  ): { shared: SharedGroup; groups: ReturnType<typeof workerGroup>[] } => {
    const shared = sharedGroup(size, { capacity });
    return { shared, groups: Array.from({ length: size }, (_, rank) => workerGroup(shared, rank, { timeout })) };
  };

  test.each([0, 1, 6, 7, 8, 30])("arrays of %s numbers on boards of 7", async (length) => {
    const { groups } = join(3, 7);
    for (let round = 0; round < 3; round++) {
      const all = await Promise.all(groups.map((group, rank) => group.allGatherAsync(one(10 * round + rank, length))));
      const wanted = Float64Array.of(...[0, 1, 2].flatMap((rank) => [...one(10 * round + rank, length)]));
      for (const got of all) expect(got).toEqual(wanted);
    }
  });

  test("one rank alone can block", () => {
    const [group] = join(1).groups;
    expect(group!.allGather(one(3))).toEqual(one(3));
  });

  test("a rank that does not come is named after the time limit", async () => {
    const { groups } = join(3, 10, 50);
    const errors = await Promise.all(
      [0, 2].map((rank) => groups[rank]!.allGatherAsync(one(1), { call: "a test" }).catch((error: unknown) => error)),
    );
    for (const error of errors) {
      expect(error).toBeInstanceOf(GroupError);
      expect(error).toMatchObject({ ranks: [1], call: "a test" });
    }
    expect((errors[0] as Error).message).toBe("rank 1 did not come within 50 ms, in a test");
    await expect(groups[0]!.allGatherAsync(one(1))).rejects.toThrow("this rank, 0, has left");
    // It is late: what the others posted can be taken, but they come no more.
    expect(await groups[1]!.allGatherAsync(one(2))).toEqual(Float64Array.of(1, 2, 1));
    await expect(groups[1]!.allGatherAsync(one(2))).rejects.toThrow(/^rank 0 gave up: rank 1 did not come/);
  });

  test("a limit of a call, and one that blocks", () => {
    const { groups } = join(2);
    const start = performance.now();
    expect(() => groups[0]!.allGather(one(1), { timeout: 60, call: "c" })).toThrow(
      "rank 1 did not come within 60 ms, in c",
    );
    expect(performance.now() - start).toBeGreaterThan(55);
  });

  test("one that has ended is named at once, and what it posted can be taken", async () => {
    const { shared, groups } = join(2, 10, 60_000);
    const first = groups[1]!.allGatherAsync(one(5)).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 5));
    endRank(shared, 1, "it was ended");
    expect(await groups[0]!.allGatherAsync(one(4))).toEqual(Float64Array.of(4, 5));
    await first;
    await expect(groups[0]!.allGatherAsync(one(4))).rejects.toThrow("rank 1 has ended: it was ended, in a gather");
  });

  test("abort and close", async () => {
    const { groups } = join(3, 10, 60_000);
    const waiting = groups[0]!.allGatherAsync(one(1));
    groups[2]!.abort("no reason");
    await expect(waiting).rejects.toMatchObject({ ranks: [1 + 1] });
    const other = join(2, 10, 60_000).groups;
    other[1]!.close();
    await expect(other[0]!.allGatherAsync(one(1))).rejects.toThrow("rank 1 has ended: it has closed its group");
  });

  test("arrays of different lengths", async () => {
    const { groups } = join(2);
    const errors = await Promise.allSettled([
      groups[0]!.allGatherAsync(one(1, 3)),
      groups[1]!.allGatherAsync(one(1, 4)),
    ]);
    // The second to look sees that the first gave up.
    errors.forEach((error, rank) => {
      const { reason } = error as { reason: GroupError };
      expect(reason.message).toMatch(/rank \d gathers \d numbers, and this rank, \d, \d, in a gather/);
      expect(reason.ranks).toEqual([1 - rank]);
    });
  });

  test("subsets name their own ranks", async () => {
    const { groups } = join(3, 10, 50);
    const pair = groups[2]!.split([2, 0]);
    expect([pair.rank, pair.size]).toEqual([0, 2]);
    const error: unknown = await pair.allGatherAsync(one(1)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ ranks: [1], code: "ERR_BATCHNORM_GROUP" });
  });

  test("arguments", () => {
    const { shared, groups } = join(2);
    expect(() => workerGroup(shared, 0)).toThrow("rank 0 of this memory has been taken by a thread before");
    expectRejected(() => workerGroup(shared, 2), [], range(VALUE, '"rank" expected a rank below 2, got 2'));
    expectRejected(
      () => workerGroup({} as SharedGroup, 0),
      [],
      type(TYPE, '"shared.size" expected a number, got undefined'),
    );
    const small = { ...shared, size: 3 };
    expectRejected(() => workerGroup(small, 0), [], type(TYPE, '"shared.memory" expected the memory of 3 ranks'));
    expectRejected(() => sharedGroup(0), [], range(VALUE, '"size" expected a positive integer, got 0'));
    expectRejected(
      () => sharedGroup(1, { capacity: 0 }),
      [],
      range(VALUE, '"capacity" expected a positive integer, got 0'),
    );
    const group: Group = groups[0]!;
    const split = (ranks: unknown) => () => group.split!(ranks as number[]);
    expectRejected(split(1), [], type(TYPE, '"ranks" expected an array of ranks, got 1'));
    expectRejected(split([0, 0]), [], range(VALUE, '"ranks" expected different ranks, got [0, 0]'));
    expectRejected(split([1]), [], range(VALUE, '"ranks" expected this rank, 0, among them, got [1]'));
  });

  test("workers of a page are watched by their errors", async () => {
    const { shared, groups } = join(2, 10, 60_000);
    let listener: () => void = () => undefined;
    watchWorker(shared, 1, { addEventListener: (_, own) => void (listener = own) });
    const waiting = groups[0]!.allGatherAsync(one(1));
    listener();
    await expect(waiting).rejects.toThrow("rank 1 has ended: its worker had an error");
  });

  test("an engine without Atomics.waitAsync looks again and again", async () => {
    const atomics = Atomics as unknown as { waitAsync: unknown };
    const { waitAsync } = atomics;
    atomics.waitAsync = undefined;
    try {
      const { groups } = join(2, 2);
      const all = await Promise.all(groups.map((group, rank) => group.allGatherAsync(one(rank, 5))));
      expect(all[0]).toEqual(all[1]);
    } finally {
      atomics.waitAsync = waitAsync;
    }
  });
});

describe("processes, all of them this one", () => {
  const hubs: ProcessHub[] = [];
  afterEach(async () => void (await Promise.all(hubs.splice(0).map((hub) => hub.close()))));

  async function join(size: number, timeout = 2000): Promise<Awaited<ReturnType<typeof processGroup>>[]> {
    const hub = await processHub(size);
    hubs.push(hub);
    const ranks = Array.from({ length: size }, (_, rank) => hub.environmentOf(rank));
    return Promise.all(ranks.map((environment) => processGroup({ environment, timeout })));
  }

  test.each([0, 1, 100_000])("arrays of %s numbers", async (length) => {
    const groups = await join(3);
    const all = await Promise.all(groups.map((group, rank) => group.allGather(one(rank, length))));
    for (const got of all) expect(got.join() === [0, 1, 2].flatMap((rank) => [...one(rank, length)]).join()).toBe(true);
    await Promise.all(groups.map((group) => group.close()));
  });

  test("one that does not come, one that leaves, another length", async () => {
    const groups = await join(2, 60);
    await expect(groups[0]!.allGather(one(1), { call: "c" })).rejects.toThrow("rank 1 did not come within 60 ms, in c");
    await expect(groups[1]!.allGather(one(1))).rejects.toMatchObject({ ranks: [1] });
    const others = await join(2, 60_000);
    const waiting = others[0]!.allGather(one(1));
    others[1]!.abort("no reason");
    await expect(waiting).rejects.toThrow("rank 1 has left: no reason, in a gather");
    await expect(others[1]!.allGather(one(1))).rejects.toThrow("this rank, 1, has left: no reason");
    const unlike = await join(2);
    const [first, second] = await Promise.allSettled([
      unlike[0]!.allGather(one(1, 2)),
      unlike[1]!.allGather(one(1, 3)),
    ]);
    for (const { reason } of [first, second] as PromiseRejectedResult[])
      expect((reason as Error).message).toBe("rank 1 gathers 3 numbers, and rank 0 2, in a gather");
  });

  test("a hub that is closed ends all waits", async () => {
    const groups = await join(2, 60_000);
    const waiting = groups[0]!.allGather(one(1)).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await hubs.pop()!.close();
    expect(await waiting).toMatchObject({ code: "ERR_BATCHNORM_GROUP" });
    await expect(groups[1]!.allGather(one(1))).rejects.toMatchObject({ code: "ERR_BATCHNORM_GROUP" });
  });

  test("a rank that is taken, a wrong key, and bytes that are no frame are refused", async () => {
    const hub = await processHub(2);
    hubs.push(hub);
    const environment = hub.environmentOf(0);
    await processGroup({ environment });
    const again = await processGroup({ environment });
    await expect(again.allGather(one(1))).rejects.toThrow("the hub was closed");
    const stranger = await processGroup({
      environment: { ...environment, BATCHNORM_GROUP_KEY: "x", BATCHNORM_GROUP_RANK: "1" },
    });
    await expect(stranger.allGather(one(1))).rejects.toThrow("the hub was closed");
    const socket = connect(environment["BATCHNORM_GROUP_PATH"]!);
    socket.on("error", () => undefined);
    socket.write(Buffer.from([5, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5]));
    await new Promise((resolve) => socket.once("close", resolve));
    expect(() => hub.environmentOf(2)).toThrow('"rank" expected a rank below 2, got 2');
  });

  test("without an environment, and without a hub", async () => {
    const none = processGroup({ environment: {} });
    await expect(none).rejects.toMatchObject({ code: VALUE });
    const environment = {
      BATCHNORM_GROUP_PATH: "/nowhere",
      BATCHNORM_GROUP_KEY: "k",
      BATCHNORM_GROUP_RANK: "0",
      BATCHNORM_GROUP_SIZE: "1",
    };
    await expect(processGroup({ environment })).rejects.toThrow("the hub cannot be reached");
  });
});
