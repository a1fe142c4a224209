// How large the study is: in full and for a first look.

export interface Size {
  /** Seeds of every variant, but of the long trainings one. */
  readonly seeds: number;
  /** Steps of the paper's and the lesson's trainings. */
  readonly long: number;
  /** Steps until even a slow training has reached most of its accuracy. */
  readonly speed: number;
  /** Steps of all other trainings of the dense network. */
  readonly usual: number;
  /** Epochs of each batch size, and steps of each batch size. */
  readonly epochs: number;
  readonly equalSteps: number;
  readonly convolutional: number;
}

export const FULL: Size = {
  seeds: 5,
  long: 50_000,
  speed: 10_000,
  usual: 4000,
  epochs: 2,
  equalSteps: 1000,
  convolutional: 1000,
};

export const QUICK: Size = {
  seeds: 1,
  long: 3000,
  speed: 2000,
  usual: 1000,
  epochs: 0.5,
  equalSteps: 200,
  convolutional: 300,
};
