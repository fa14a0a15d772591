# Mocked AWS responses for `terraform test`, which sends no requests to AWS.

mock_data "aws_caller_identity" {
  defaults = { account_id = "111122223333" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_dynamodb_table" {
  defaults = {
    name           = "existing"
    arn            = "arn:aws:dynamodb:eu-west-1:111122223333:table/existing"
    stream_arn     = "arn:aws:dynamodb:eu-west-1:111122223333:table/existing/stream/2026"
    stream_enabled = true
  }
}

mock_data "aws_s3_bucket" {
  defaults = { bucket = "existing", arn = "arn:aws:s3:::existing" }
}

mock_data "aws_sqs_queue" {
  defaults = { name = "existing", arn = "arn:aws:sqs:eu-west-1:111122223333:existing", url = "https://sqs/existing" }
}

mock_resource "aws_dynamodb_table" {
  defaults = {
    arn        = "arn:aws:dynamodb:eu-west-1:111122223333:table/made"
    stream_arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/made/stream/2026"
  }
}

mock_resource "aws_s3_bucket" {
  defaults = { id = "made", arn = "arn:aws:s3:::made" }
}

mock_resource "aws_sqs_queue" {
  defaults = { id = "https://sqs/made", arn = "arn:aws:sqs:eu-west-1:111122223333:made" }
}

mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:eu-west-1:111122223333:made" }
}

mock_resource "aws_iam_role" {
  defaults = { id = "made", arn = "arn:aws:iam::111122223333:role/made" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-west-1:111122223333:log-group:made" }
}

mock_resource "aws_lambda_function" {
  defaults = { arn = "arn:aws:lambda:eu-west-1:111122223333:function:made" }
}

mock_resource "aws_lambda_layer_version" {
  defaults = { arn = "arn:aws:lambda:eu-west-1:111122223333:layer:made:1" }
}

mock_resource "aws_ecr_repository" {
  defaults = { arn = "arn:aws:ecr:eu-west-1:111122223333:repository/made", repository_url = "made.example/made" }
}

mock_resource "aws_ecs_task_definition" {
  defaults = { arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/made:1" }
}

mock_resource "aws_appautoscaling_policy" {
  defaults = { arn = "arn:aws:autoscaling:eu-west-1:111122223333:scalingPolicy:made" }
}

mock_resource "aws_opensearch_domain" {
  defaults = { endpoint = "vpc-made.eu-west-1.es.amazonaws.com" }
}

mock_resource "aws_opensearchserverless_collection" {
  defaults = { collection_endpoint = "https://made.eu-west-1.aoss.amazonaws.com" }
}

mock_resource "aws_opensearchserverless_vpc_endpoint" {
  defaults = { id = "vpce-made" }
}
