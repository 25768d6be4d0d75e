#!/usr/bin/env bash
# The AWS CLI, as in a shell or a CI job: files up, a job made from flags, waited for, its log tailed, files down.
#   main.sh AWS DATA WORK
set -euo pipefail
aws=$1 data=$2 work=$3
account=$($aws sts get-caller-identity --query Account --output text)
region=$AWS_DEFAULT_REGION
bucket=cli-journey-$account
$aws s3 mb "s3://$bucket"
$aws s3 sync "$data" "s3://$bucket/data" --only-show-errors
$aws s3 ls "s3://$bucket/data/" --recursive
role=arn:aws:iam::$account:role/service-role/AmazonSageMaker-ExecutionRole
channel() {
  echo "{\"ChannelName\":\"$1\",\"ContentType\":\"text/csv\",\"DataSource\":{\"S3DataSource\":{\"S3DataType\":\"S3Prefix\",\"S3Uri\":\"s3://$bucket/data/$1/\"}}}"
}
$aws sagemaker create-training-job --training-job-name cli-job --role-arn "$role" \
  --algorithm-specification "TrainingImage=683313688378.dkr.ecr.$region.amazonaws.com/sagemaker-xgboost:1.7-1,TrainingInputMode=File" \
  --hyper-parameters objective=binary:logistic,num_round=5,eval_metric=auc \
  --input-data-config "[$(channel train),$(channel validation)]" \
  --output-data-config "S3OutputPath=s3://$bucket/output" \
  --resource-config InstanceType=ml.m5.xlarge,InstanceCount=1,VolumeSizeInGB=5 \
  --stopping-condition MaxRuntimeInSeconds=600 --tags Key=from,Value=cli
$aws sagemaker wait training-job-completed-or-stopped --training-job-name cli-job
$aws sagemaker describe-training-job --training-job-name cli-job --output table
$aws sagemaker list-training-jobs --name-contains cli --query 'TrainingJobSummaries[].TrainingJobName' --output text
$aws logs filter-log-events --log-group-name /aws/sagemaker/TrainingJobs --log-stream-name-prefix cli-job/ \
  --query 'events[].message' --output text
query=$($aws logs start-query --log-group-name /aws/sagemaker/TrainingJobs --start-time 0 --end-time 4000000000 \
  --query-string 'filter @logStream like "cli-job/" | filter @message like /validation-auc/ | stats count(*) as rounds' \
  --query queryId --output text)
until [ "$($aws logs get-query-results --query-id "$query" --query status --output text)" = Complete ]; do sleep 0.2; done
$aws logs get-query-results --query-id "$query" --query 'results[][].join(`=`, [field, value])' --output text
$aws cloudwatch list-metrics --namespace /aws/sagemaker/TrainingJobs --output text
artefact=$($aws sagemaker describe-training-job --training-job-name cli-job --query ModelArtifacts.S3ModelArtifacts --output text)
$aws s3 cp "$artefact" "$work/model.tar.gz" --only-show-errors
tar tzf "$work/model.tar.gz"
$aws s3 presign "$artefact" --expires-in 60
if $aws sagemaker describe-training-job --training-job-name not-there 2>"$work/error"; then exit 1; fi
cat "$work/error"
$aws s3 rb "s3://$bucket" --force --output text | tail -n 1
