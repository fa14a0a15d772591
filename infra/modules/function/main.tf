# A Lambda function with its role, its log and the alarms that all functions share.

locals {
  in_vpc = length(var.subnet_ids) > 0
  log    = "/aws/lambda/${var.name}"

  own = concat(
    [{
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.this.arn}:*"
    }],
    [for arn in var.letters_arn == null ? [] : [var.letters_arn] : { # Lambda stores an event that it gave up with the role of the function
      Sid      = "KeepEventsGivenUp"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "${arn}/aws/lambda/*"
    }],
    [for arn in var.letters_arn == null ? [] : [var.letters_arn] : {
      Sid      = "ListEventsGivenUp"
      Effect   = "Allow"
      Action   = "s3:ListBucket"
      Resource = arn
    }],
    [for key in var.kms_key_arn == null ? [] : [var.kms_key_arn] : {
      Sid      = "UseKey"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = key
    }],
    [for mode in var.trace ? ["Active"] : [] : { # X-Ray has no resource-level permissions for these actions
      Sid      = "Trace"
      Effect   = "Allow"
      Action   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
      Resource = "*"
    }],
    [for path in var.secrets_path == null ? [] : [var.secrets_path] : {
      Sid      = "ReadSecrets"
      Effect   = "Allow"
      Action   = "ssm:GetParametersByPath"
      Resource = "arn:${var.owner.partition}:ssm:${var.owner.region}:${var.owner.account}:parameter${path}"
    }],
    [for subnets in local.in_vpc ? ["own"] : [] : { # Lambda requires these for all network interfaces
      Sid    = "JoinNetwork"
      Effect = "Allow"
      Action = [
        "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
      ]
      Resource = "*"
    }],
  )
}

resource "aws_iam_role" "this" {
  name = var.name

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "routes" {
  count  = var.policy == null ? 0 : 1
  name   = "routes"
  role   = aws_iam_role.this.id
  policy = var.policy
}

resource "aws_iam_role_policy" "own" {
  name   = "function"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.own })
}

resource "aws_cloudwatch_log_group" "this" {
  name              = local.log
  retention_in_days = var.log_retention
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  function_name                  = var.name
  description                    = var.description
  role                           = aws_iam_role.this.arn
  package_type                   = "Zip"
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  handler                        = var.handler
  runtime                        = var.runtime
  architectures                  = [var.architecture]
  layers                         = var.layers
  memory_size                    = var.memory
  timeout                        = var.timeout
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn
  depends_on                     = [aws_iam_role_policy.routes, aws_iam_role_policy.own, aws_cloudwatch_log_group.this]

  environment {
    variables = var.variables
  }

  tracing_config {
    mode = var.trace ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? [var.subnet_ids] : []

    content {
      subnet_ids         = vpc_config.value
      security_group_ids = var.security_group_ids
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = { Errors = "The function fails. See docs/runbook.md: A source waits for the operator.", Throttles = "Lambda throttles the function. See docs/runbook.md: It does not keep up." }
  alarm_name          = "${var.name}-${lower(each.key)}"
  alarm_description   = each.value
  namespace           = "AWS/Lambda"
  metric_name         = each.key
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
}
