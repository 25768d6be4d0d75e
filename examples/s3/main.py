"""S3 in plain boto3: files up and down, parts, ranges, folders, links, tags."""

import io
import os
import urllib.request

import boto3
from botocore.config import Config

s3 = boto3.client("s3", config=Config(signature_version="s3v4"))  # links by Signature Version 4, as every region takes
bucket = "example-s3"
s3.create_bucket(Bucket=bucket)

s3.put_object(Bucket=bucket, Key="notes/one.txt", Body=b"first line\nsecond line\n", Metadata={"author": "me"})
body = os.urandom(12 * 1024 * 1024)  # over 8 MiB boto3 uploads in parts
s3.upload_fileobj(io.BytesIO(body), bucket, "big/random.bin")
parts = s3.get_object_attributes(Bucket=bucket, Key="big/random.bin", ObjectAttributes=["ObjectSize"])
print("uploaded", parts["ObjectSize"], "bytes")

middle = s3.get_object(Bucket=bucket, Key="big/random.bin", Range="bytes=1000-1999")["Body"].read()
assert middle == body[1000:2000]
copy = io.BytesIO()
s3.download_fileobj(bucket, "big/random.bin", copy)
assert copy.getvalue() == body

s3.copy_object(Bucket=bucket, Key="notes/two.txt", CopySource={"Bucket": bucket, "Key": "notes/one.txt"})
s3.put_object_tagging(Bucket=bucket, Key="notes/two.txt", Tagging={"TagSet": [{"Key": "kind", "Value": "copy"}]})
print("folders", [found["Prefix"] for found in s3.list_objects_v2(Bucket=bucket, Delimiter="/")["CommonPrefixes"]])
print("notes", [found["Key"] for found in s3.list_objects_v2(Bucket=bucket, Prefix="notes/")["Contents"]])

link = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "notes/one.txt"}, ExpiresIn=60)
with urllib.request.urlopen(link) as answer:
    print("by link:", answer.read().decode().splitlines()[0])

everything = [{"Key": found["Key"]} for found in s3.list_objects_v2(Bucket=bucket)["Contents"]]
s3.delete_objects(Bucket=bucket, Delete={"Objects": everything})
s3.delete_bucket(Bucket=bucket)
print("deleted", len(everything), "objects and their bucket")
