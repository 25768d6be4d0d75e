"""Two rings of points told apart by a small network, trained on as many hosts as there are."""

import argparse
import json
import os

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=60)
parser.add_argument("--learning-rate", type=float, default=0.5)
parser.add_argument("--model_dir", default="")  # AWS's image gives it; the model goes to SM_MODEL_DIR
given = parser.parse_args()

strategy = tf.distribute.MultiWorkerMirroredStrategy()  # TF_CONFIG names the hosts
task = json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {"index": 0})
hosts = strategy.num_replicas_in_sync

rows = np.loadtxt(os.path.join(os.environ["SM_CHANNEL_TRAINING"], "rings.csv"), delimiter=",", dtype=np.float32)
rows = rows[task["index"] :: hosts]
points, labels = tf.constant(rows[:, :2]), tf.constant(rows[:, 2])


class Rings(tf.Module):
    """One hidden layer of sixteen."""

    def __init__(self):
        random = np.random.default_rng(1)
        shapes = ((2, 16), (16,), (16, 1), (1,))
        self.weights = [tf.Variable(random.normal(0, 0.5, shape), dtype=tf.float32) for shape in shapes]

    def logits(self, points):
        into, bias, out, offset = self.weights
        return (tf.tanh(points @ into + bias) @ out + offset)[:, 0]

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="points")])
    def serve(self, points):
        return tf.sigmoid(self.logits(points))


with strategy.scope():
    network = Rings()


def one_step():
    with tf.GradientTape() as tape:
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, network.logits(points))
        loss = tf.reduce_sum(losses) / (hosts * tf.cast(tf.size(labels), tf.float32))
    gradients = tape.gradient(loss, network.weights)
    together = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, [loss, *gradients])
    for weight, gradient in zip(network.weights, together[1:], strict=True):
        weight.assign_sub(given.learning_rate * gradient)
    return together[0]


@tf.function
def step():
    return strategy.experimental_local_results(strategy.run(one_step))[0]


for number in range(1, given.steps + 1):
    loss = step()
    if number % 20 == 0:
        print(f"step {number}: loss={float(loss):.4f} (host {task['index']} of {hosts})", flush=True)
if task["index"] == 0:
    tf.saved_model.save(network, os.path.join(os.environ["SM_MODEL_DIR"], "rings", "1"), network.serve)
