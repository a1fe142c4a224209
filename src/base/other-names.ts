// The names that other libraries give to our options and to the entries of a state, and names that are mistyped.

/** Our options and fields, and what they are called elsewhere: in lower case and without marks between words. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  weight: "gamma scale",
  bias: "beta center offset b",
  eps: "epsilon varianceepsilon",
  runningMean: "runningmean mean movingmean inputmean",
  runningVar: "runningvar var variance movingvariance inputvar",
  numBatchesTracked: "numbatchestracked",
  layout: "dataformat",
  axis: "dim",
  out: "inplace output",
  activation: "fusedactivation",
  dtype: "type",
  slope: "alpha negativeslope",
  sampleWeights: "weights sampleweight",
  updateRunningStats: "updatestats updaterunning updatestatistics",
  virtualBatchSize: "ghostbatchsize",
  renorm: "renormclipping",
};

const plainOf = (name: string): string => name.replaceAll(/[_-]/g, "").toLowerCase();

/** Our name for what others call so. */
export function ourName(name: string): string | undefined {
  return Object.keys(ELSEWHERE).find((ours) => ELSEWHERE[ours]!.split(" ").includes(plainOf(name)));
}

/** A word, and what is left of it without any one of its letters. */
const shortened = (word: string): string[] => [
  word,
  ...Array.from(word, (_, i) => word.slice(0, i) + word.slice(i + 1)),
];

/** Whether one letter put in, left out, changed or moved makes one word of another. */
export function isNear(a: string, b: string): boolean {
  const others = shortened(b);
  return shortened(a).some((word) => others.includes(word));
}

/** The one of `known` that a caller may have meant: in another spelling, of another library, or mistyped. */
export function meant(name: string, known: readonly string[]): string | undefined {
  const plain = plainOf(name);
  return known.find((one) => one === ourName(name)) ?? known.find((one) => isNear(one.toLowerCase(), plain));
}
