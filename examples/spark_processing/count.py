"""A PySpark script: rows in, rows per label out, as CSV."""

import argparse

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

parser = argparse.ArgumentParser()
parser.add_argument("--column", default="_c0")
column = parser.parse_args().column
spark = SparkSession.builder.appName("count").getOrCreate()
rows = spark.read.csv("/opt/ml/processing/input/rows", inferSchema=True)
counts = rows.groupBy(column).agg(f.count("*").alias("rows"), f.avg("_c1").alias("mean")).orderBy(column)
counts.show()
counts.coalesce(1).write.mode("overwrite").csv("file:///opt/ml/processing/output/counts", header=True)
print("partitions", spark.conf.get("spark.sql.shuffle.partitions"))
spark.stop()
